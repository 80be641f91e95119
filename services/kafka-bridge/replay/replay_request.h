// The command line of `spanway-kafka-bridge replay`, and what it means for a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/kafka-bridge/config.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/range_reader.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

struct ReplayRequest {
  std::string topic;
  std::string from, to;
  kafka::RangeBound begin, end;  // `from` and `to`, parsed.
  double rate = 0;               // Items a second; 0 only with dry_run.
  bool dry_run = false;
  std::string state_file;
  std::string letters_of;
  std::optional<otlp::Signal>
      signal;  // For all records; without it, that of a dead letter's origin.
  std::uint64_t refused_max = 20;
  Duration give_up_after = std::chrono::minutes(10);
  bool no_dedup = false;

  // Identifies the replay that a state belongs to.
  std::string identity(const BridgeConfig& config) const;
};

// Stateless; thread-safe. An error is for the user: what is wrong and what to give instead.
Result<ReplayRequest> parse_replay_request(const BridgeConfig& config,
                                           const std::vector<std::string>& arguments);
std::string replay_help();

// An offset, or a time as 2026-01-31T12:00:00Z; the end of the log when it is empty. Nothing: none
// of these.
std::optional<kafka::RangeBound> parse_range_bound(std::string_view text);

// The signal of a record: `known`, or that of the topic in a dead letter's spanway-origin.
std::optional<otlp::Signal> signal_of_record(const kafka::TopicNames& topics,
                                             std::optional<otlp::Signal> known,
                                             const kafka::StoredRecord& record);

}  // namespace spanway::kafka_bridge
