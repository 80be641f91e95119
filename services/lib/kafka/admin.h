// Topic administration: topics are created, grown and made to promise more, never shrunk or
// deleted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

struct TopicSpec {
  std::string name;
  std::int32_t partitions = 1;
  std::int32_t replication_factor = -1;  // -1 = the broker's default.
  // Topic settings, for example min.insync.replicas. A new topic gets them. Of an existing one
  // those that are weaker are changed (kCreateAndUpdate); a stronger one, such as a longer
  // retention, stays: data or another user of the topic may rely on it.
  std::map<std::string, std::string> settings;
  // Records carry keys: a topic that keeps only the last record of each key is refused.
  bool keyed = false;
  // The largest batch that is written; 0 = not compared with max.message.bytes.
  std::uint64_t record_bytes = 0;
};

struct TopicReport {
  enum class Action { kUnchanged, kCreated, kGrown, kChanged, kFailed };
  std::string name;
  Action action = Action::kUnchanged;
  std::int32_t partitions = 0;
  std::int32_t replication_factor = 0;
  std::optional<std::int32_t> min_insync_replicas;  // In effect; not known without permission.
  // "min.insync.replicas is 1, configured 2": settings that are weaker than configured, or weaker
  // than they seem.
  std::vector<std::string> weaker;
  // Settings that were not configured otherwise and are weak all the same.
  std::vector<std::string> notes;
  std::optional<std::uint64_t> message_bytes_max;  // max.message.bytes in effect.
  // Others in effect, unless they are not known.
  std::optional<std::int64_t> retention_ms;     // -1 = for ever.
  std::optional<std::int64_t> retention_bytes;  // One partition's; -1 = no limit.
  std::optional<bool> unclean_leader_election;
  std::string cleanup_policy;
  std::string error;  // The cause of kFailed.
  bool settings_read = false;
  bool compacted = false;  // cleanup.policy has compact in it.
  std::string unread;      // Set when its settings may not be read and were not compared.
};
std::string_view to_string(TopicReport::Action action) noexcept;

// The changes that are allowed to a topic that differs. It is reported in every case.
enum class TopicChanges { kNone, kCreate, kCreateAndUpdate };

// One client for topics: connects when first used, and keeps the connection until disconnect().
//
// Methods by one thread at a time, which they block until done or the deadline has passed; cancel()
// by any. Clock and telemetry outlive it.
class TopicAdmin {
 public:
  TopicAdmin(ClientConfig client, const Clock& clock, telemetry::Telemetry telemetry);
  ~TopicAdmin();
  TopicAdmin(const TopicAdmin&) = delete;
  TopicAdmin& operator=(const TopicAdmin&) = delete;

  // Retries while no broker answers. An error only when nothing could be found out; otherwise one
  // report per spec, in their order. Without permission to create it, a missing topic is kFailed;
  // without permission to read its settings (DescribeConfigs), one is compared by its numbers
  // alone; without permission to change them (AlterConfigs), the weaker ones stay and are reported.
  Result<std::vector<TopicReport>> apply(const std::vector<TopicSpec>& specs, TopicChanges changes,
                                         Deadline deadline);
  // The effective settings of an existing topic, by name. PERMISSION_DENIED without
  // DescribeConfigs on it.
  Result<std::map<std::string, std::string>> read_settings(const std::string& topic,
                                                           Deadline deadline);
  // Closes the connections; the next request opens them again.
  void disconnect() noexcept;
  // For good: the request in progress and later ones return UNAVAILABLE at once (within 2 s while
  // a connected broker does not answer).
  void cancel() noexcept;

 private:
  class Session;
  const ClientConfig client_;
  const std::unique_ptr<Session> session_;
};

}  // namespace spanway::kafka
