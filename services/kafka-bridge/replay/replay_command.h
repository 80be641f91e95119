// `spanway-kafka-bridge replay`.
#pragma once

#include <string>
#include <vector>

#include "services/kafka-bridge/config.h"

namespace spanway::kafka_bridge {

// Prints progress to standard error and one JSON object to standard output. Returns the exit code,
// as replay_help() lists them. Blocks; called once, by the main thread, before any other thread has
// started: signals are blocked first.
int replay_command(const BridgeConfig& config, const std::vector<std::string>& arguments);

}  // namespace spanway::kafka_bridge
