// The start offsets of the partitions that a group assigns to this consumer: the committed ones;
// without a commit, the end or the start of the log. Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/consumer_config.h"
#include "services/lib/kafka/queries.h"
#include "services/lib/kafka/start_markers.h"

namespace spanway::kafka {

// The history of a topic that has partitions without a committed offset.
struct TopicHistory {
  bool has_commit = false;        // The group has committed on another partition of it.
  bool known = false;             // It was missing, or was read before (by a marker of the group).
  bool group_has_commit = false;  // The group has committed on another topic.
  bool complete = false;          // No record of it has been deleted: all its logs begin at 0.
};
// `latest` holds once, for a topic that existed when the group was created. A partition or a topic
// that was added later is read from its beginning: records were acknowledged into it that the group
// has not delivered. In doubt, delivering again beats leaving out.
bool begins_at_log_start(ConsumerConfig::StartFrom start_from, const TopicHistory& topic) noexcept;

// On one thread, which it blocks for at most a few times native::kQueryTimeoutMs a call. Memory: a
// few words per subscribed topic and partition.
class GroupOffsets {
 public:
  struct Start {
    TopicPartition partition;
    StartPosition position;
    std::int64_t committed = 0;  // Above position.offset when the log has lost its end.
    bool recreated = false;      // The topic is another one than this process has read.
  };
  // The handle outlives this, and so do `markers`, used on the thread of this, and `stopping`: once
  // it is set, resolve() returns after the request in progress.
  GroupOffsets(rd_kafka_s* handle, const ConsumerConfig& config, std::vector<std::string> topics,
               StartMarkers& markers, const std::atomic<bool>& stopping);

  // Commits the starts that were not committed before.
  Result<std::vector<Start>> resolve(const std::vector<TopicPartition>& partitions);
  // For each description of the topics by the brokers. Returns the topics that were deleted and
  // created again and have not been restarted since.
  std::set<std::string> observe(const std::vector<native::TopicDescription>& topics);
  // The topics of `partitions` that no longer exist, or only anew; separated by commas.
  std::string deleted(const std::vector<TopicPartition>& partitions,
                      const std::vector<native::TopicDescription>& topics);
  // Assigned partitions of these are read from their start: their commits hold again.
  void on_restarted(const std::set<std::string>& topics);

 private:
  struct Lookup;
  bool is_known(const Lookup& lookup, const std::string& topic) const;
  Status find_markers(Lookup& lookup) const;
  std::vector<TopicPartition> unsettled(const Lookup& lookup) const;
  void decide(Lookup& lookup);
  Status commit(Lookup& lookup);
  Status check_stopping() const;

  rd_kafka_s* const handle_;
  const ConsumerConfig::StartFrom start_from_;
  const bool read_committed_;
  const std::vector<std::string> topics_;
  StartMarkers& markers_;
  const std::atomic<bool>& stopping_;
  std::set<std::string> was_missing_;
  std::map<std::string, std::string> ids_;  // Ids of the topics that this process has read.
  // Not restarted yet: their committed offsets may belong to the earlier topic.
  std::set<std::string> recreated_;
};

}  // namespace spanway::kafka
