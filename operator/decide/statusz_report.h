// The answer of a service to GET /statusz, parsed: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::decide {

struct TopicReport {
  std::string name = {};
  std::int64_t partitions = 0;
  std::string error = {};
};
// The settings of a topic, as a bridge has read them; unset = not known.
struct TopicSettingsReport {
  std::string name = {};
  std::int64_t partitions = 0;  // 0 = not known, as the next one.
  std::int64_t replication_factor = 0;
  std::optional<std::int64_t> min_insync_replicas = {};
  std::optional<std::int64_t> retention_ms = {};     // -1 = for ever.
  std::optional<std::int64_t> retention_bytes = {};  // One partition's; -1 = no limit.
  std::optional<bool> unclean_leader_election = {};
  std::string cleanup_policy = {};  // Empty = not known.
};
struct PartitionReport {
  std::string topic = {};
  std::int32_t partition = 0;
  std::int64_t lag_messages = 0;
  double lag_seconds = 0;
  bool stalled = false;
  std::string reason = {};  // Why it is stalled.
};
// A stall of a consumer that is wider than single partitions.
struct StallReport {
  std::string signal = {};
  std::string tenant = {};
  std::string scope = {};  // "destination", "signal", "tenant", "record"
  std::string reason = {};
};
// One activity of a service; nothing when the service does not report it.
struct ActivityReport {
  bool ok = true;
  std::string error = {};
  std::string reason = {};  // The error as one word; may be empty.
};
// The report of one pod. Missing fields keep their defaults: an older service reports less.
struct StatuszReport {
  bool answered = false;
  std::string error = {};          // Why not.
  std::optional<bool> ready = {};  // Unset: an older exporter does not report it.
  std::string reason = {};
  bool kafka_reachable = false;  // Bridges only.
  std::string last_error = {};   // Bridges only: the newest error of Kafka or the destination.
  std::vector<TopicReport> topics = {};
  std::vector<TopicSettingsReport> topic_settings = {};
  std::vector<PartitionReport> partitions = {};
  std::optional<ActivityReport> next = {};   // Ingress: its next hop.
  std::optional<ActivityReport> store = {};  // Query: its store, once it was called.
  std::string certificate_error =
      {};  // Listeners with TLS: why the newest certificate is not in use.
  // Credentials that were read again and cannot be used: key and reason.
  std::vector<std::string> credential_errors = {};
  std::optional<ActivityReport> produce = {};     // Producing bridges: produce requests.
  std::optional<ActivityReport> assignment = {};  // Consumers: partitions of the group.
  std::vector<StallReport> stalls = {};           // Consumers.
  std::int64_t lost_records = 0;  // Consumers: deleted from the log before they were read.
  std::vector<std::string> weaknesses = {};  // Bridges: settings that endanger records.
  bool has_destination = false;              // Consumers: the exporter; exporters: the real one.
  bool destination_reachable = false;        // True too when nothing has been sent yet.
  bool destination_known = false;            // Something has been sent and answered, or failed.
  std::string destination_error = {};
  std::string destination_error_reason = {};
  std::string destination_endpoint = {};
  bool destination_degraded = false;  // Exporters: the circuit is open, only probes are sent.
};
// The largest accepted answer of a pod.
inline constexpr std::size_t kStatuszBytesMax = 1u << 20;
StatuszReport not_answered(std::string why);
// Never fails: what is no JSON object is a report that was not answered, with the error.
StatuszReport parse_statusz(std::string_view body);

}  // namespace spanway::decide
