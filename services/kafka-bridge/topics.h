// The topics that the bridge needs, and `spanway-kafka-bridge topics apply`.
#pragma once

#include <string>
#include <vector>

#include "services/kafka-bridge/config.h"
#include "services/lib/base/clock.h"
#include "services/lib/kafka/admin.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka_bridge {

// The topics of `signals`, each followed by its dead-letter topic.
std::vector<kafka::TopicSpec> topic_specs(const BridgeConfig& config,
                                          const std::vector<otlp::Signal>& signals);

// {"topics":[{"name":...,"action":"created","partitions":12,...}],"ok":true}
// Texts longer than `text_bytes_max` are truncated.
std::string to_json(const std::vector<kafka::TopicReport>& reports,
                    std::size_t text_bytes_max = 1024);

// The same for the termination message of a pod, from which the operator reads it: without what
// resembles a secret, and short enough (runtime::kTerminationBytesMax) to be kept in full.
std::string termination_report(std::vector<kafka::TopicReport> reports);

// One line with the numbers, and a warning for each topic that is not as configured.
void log_reports(const std::vector<kafka::TopicReport>& reports, const telemetry::Logger& log);

// Settings of these topics that can lose records answered OK, each with its topic's name.
std::vector<std::string> weaknesses(const std::vector<kafka::TopicReport>& reports);

// `topics apply [--create-only]` and `topics verify` (`changes` kNone). Prints one JSON object to
// standard output, and leaves it as the termination message in a pod, also on success: of a pod
// that has succeeded Kubernetes keeps no line of the log. 0 when all topics exist as configured or
// stronger, 1 when one is missing or could not be created, 3 when one promises less than
// configured.
int topics_command(const BridgeConfig& config, kafka::TopicChanges changes,
                   const std::vector<std::string>& arguments);

}  // namespace spanway::kafka_bridge
