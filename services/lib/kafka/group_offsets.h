// Where a member of a group begins to read its partitions: at the committed offsets; where there is
// none, at the end or the start of the log. Private to services/lib/kafka.
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

namespace spanway::kafka {

// What is known of a topic that has partitions without a committed offset.
struct TopicHistory {
  bool has_commit = false;        // The group has committed on another partition of it.
  bool known = false;             // This process saw it missing, or has read an earlier one.
  bool group_has_commit = false;  // The group has committed on another topic.
  bool complete = false;          // Nothing of it has been deleted: all its logs begin at 0.
};
// `latest` holds once, for a topic that was there when the group began. A partition or a topic that
// came later is read from its beginning: records were acknowledged into it that the group has not
// delivered. Where that cannot be told for certain, delivering again beats leaving out.
bool begins_at_log_start(ConsumerConfig::StartFrom start_from, const TopicHistory& topic) noexcept;

// On one thread, which it blocks for at most a few times native::kQueryTimeoutMs a call. Memory: a
// few words per subscribed topic and partition.
class GroupOffsets {
 public:
  struct Start {
    TopicPartition partition;
    StartPosition position;
    std::int32_t leader_epoch = -1;  // Of the record before; -1 unknown.
    std::int64_t committed = 0;      // Above position.offset when the log has lost its end.
    bool made_anew = false;          // The topic is another one than this process has read.
  };
  // The handle outlives this, and so does `stopping`: once it is set, a look-up ends after the
  // request that it waits for.
  GroupOffsets(rd_kafka_s* handle, const ConsumerConfig& config, std::vector<std::string> topics,
               const std::atomic<bool>& stopping);

  // What was not committed before is by the time this returns.
  Result<std::vector<Start>> look_up(const std::vector<TopicPartition>& partitions);
  // To be told of each answer of the brokers. Returns the topics that were deleted and made again
  // and have not been begun since.
  std::set<std::string> notice(const std::vector<native::TopicDescription>& topics);
  // Partitions of these are held and being read anew: the next look-up goes by their commits again.
  void taken_over(const std::set<std::string>& topics);

 private:
  struct Lookup;
  bool is_known(const Lookup& lookup, const std::string& topic) const;
  std::vector<TopicPartition> unsettled(const Lookup& lookup) const;
  void decide(Lookup& lookup);
  Status commit(Lookup& lookup);
  Status go_on() const;

  rd_kafka_s* const handle_;
  const ConsumerConfig::StartFrom start_from_;
  const bool read_committed_;
  const std::vector<std::string> topics_;
  const std::atomic<bool>& stopping_;
  std::set<std::string> seen_missing_;
  std::map<std::string, std::string> ids_;  // Of topics that this process has begun to read.
  // Noticed, and not begun since: what is committed for them may be an offset in the earlier one.
  std::set<std::string> made_anew_;
};

}  // namespace spanway::kafka
