#include "services/lib/kafka/group_offsets.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

namespace spanway::kafka {
namespace {

bool is_missing(const native::TopicDescription& topic) {
  return topic.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         topic.error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         topic.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID;
}

}  // namespace

bool begins_at_log_start(ConsumerConfig::StartFrom start_from, const TopicHistory& topic) noexcept {
  return start_from == ConsumerConfig::StartFrom::kEarliest || topic.has_commit || topic.known ||
         (topic.group_has_commit && topic.complete);
}

// The state of one resolve().
struct GroupOffsets::Lookup {
  std::vector<native::TopicDescription> topics;
  std::set<std::string> recreated;
  std::set<std::string> marked;  // Assigned topics without a commit.
  std::vector<TopicPartition> assigned;
  std::vector<TopicPartition>
      all;  // All partitions of the subscribed topics, and the assigned ones.
  std::map<TopicPartition, native::GroupOffset> committed;
  std::map<TopicPartition, native::LogOffset> first, last;
  std::vector<Start> starts;
  // Starts to commit: of assigned partitions; of others, where a commit must not be overwritten.
  std::vector<native::GroupOffset> ours, others;

  bool is_committed(const TopicPartition& partition) const {
    const auto found = committed.find(partition);
    return found != committed.end() && found->second.offset >= 0 &&
           recreated.count(partition.topic) == 0;
  }
  bool has_commit(const std::string& topic) const {
    return std::any_of(all.begin(), all.end(), [&](const TopicPartition& p) {
      return p.topic == topic && is_committed(p);
    });
  }
};

GroupOffsets::GroupOffsets(rd_kafka_s* handle, const ConsumerConfig& config,
                           std::vector<std::string> topics, StartMarkers& markers,
                           const std::atomic<bool>& stopping)
    : handle_(handle),
      start_from_(config.start_from),
      read_committed_(config.isolation == ConsumerConfig::Isolation::kReadCommitted),
      topics_(std::move(topics)),
      markers_(markers),
      stopping_(stopping) {}

Status GroupOffsets::check_stopping() const {
  return stopping_ ? Status(unavailable("the consumer is closing")) : ok_status();
}

std::set<std::string> GroupOffsets::observe(const std::vector<native::TopicDescription>& topics) {
  for (const native::TopicDescription& topic : topics) {
    if (is_missing(topic)) was_missing_.insert(topic.name);
    const auto begun = ids_.find(topic.name);
    if (topic.id.empty() || begun == ids_.end() || begun->second == topic.id) continue;
    begun->second = topic.id;
    recreated_.insert(topic.name);
  }
  return recreated_;
}

std::string GroupOffsets::deleted(const std::vector<TopicPartition>& partitions,
                                  const std::vector<native::TopicDescription>& topics) {
  const std::set<std::string> recreated = observe(topics);
  std::string names;
  for (const native::TopicDescription& topic : topics) {
    const bool gone = is_missing(topic) || recreated.count(topic.name) > 0;
    const bool is_of = std::any_of(
        partitions.begin(), partitions.end(),
        [&topic](const TopicPartition& partition) { return partition.topic == topic.name; });
    if (gone && is_of) names += (names.empty() ? "" : ",") + topic.name;
  }
  return names;
}

void GroupOffsets::on_restarted(const std::set<std::string>& topics) {
  for (const std::string& topic : topics) recreated_.erase(topic);
}

Result<std::vector<GroupOffsets::Start>> GroupOffsets::resolve(
    const std::vector<TopicPartition>& partitions) {
  Lookup lookup;
  lookup.assigned = partitions;
  SPANWAY_ASSIGN(lookup.topics,
                 native::describe_topics(handle_, topics_, [this] { return stopping_.load(); }));
  SPANWAY_TRY(check_stopping());
  lookup.recreated = observe(lookup.topics);
  std::set<TopicPartition> all(partitions.begin(), partitions.end());
  for (const native::TopicDescription& topic : lookup.topics) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) all.insert({topic.name, p});
  }
  lookup.all.assign(all.begin(), all.end());
  std::vector<native::GroupOffset> committed;
  SPANWAY_ASSIGN(committed, native::committed_offsets(handle_, lookup.all));
  SPANWAY_TRY(check_stopping());
  for (native::GroupOffset& offset : committed) {
    const TopicPartition partition = offset.partition;
    lookup.committed[partition] = std::move(offset);
  }
  SPANWAY_TRY(find_markers(lookup));
  SPANWAY_TRY(check_stopping());
  const std::vector<TopicPartition> to_list = unsettled(lookup);
  auto first = native::list_offsets(handle_, to_list, native::LogEnd::kFirst, read_committed_);
  SPANWAY_TRY(first.status);
  SPANWAY_TRY(check_stopping());
  auto last = native::list_offsets(handle_, to_list, native::LogEnd::kLast, read_committed_);
  SPANWAY_TRY(last.status);
  lookup.first = std::move(first.found);
  lookup.last = std::move(last.found);
  decide(lookup);
  SPANWAY_TRY(check_stopping());
  SPANWAY_TRY(commit(lookup));
  for (const native::TopicDescription& topic : lookup.topics) {
    const bool begun =
        std::any_of(partitions.begin(), partitions.end(),
                    [&topic](const TopicPartition& p) { return p.topic == topic.name; });
    if (!begun) continue;
    recreated_.erase(topic.name);
    markers_.begin(topic.name);
    if (!topic.id.empty()) ids_[topic.name] = topic.id;
  }
  return std::move(lookup.starts);
}

bool GroupOffsets::is_known(const Lookup& lookup, const std::string& topic) const {
  return was_missing_.count(topic) > 0 || ids_.count(topic) > 0 ||
         lookup.recreated.count(topic) > 0 || lookup.marked.count(topic) > 0;
}

// Kafka has deleted the group's offsets of a topic that was deleted and created again.
Status GroupOffsets::find_markers(Lookup& lookup) const {
  std::set<std::string> topics;
  for (const TopicPartition& p : lookup.assigned) {
    if (!lookup.has_commit(p.topic) && !is_known(lookup, p.topic)) topics.insert(p.topic);
  }
  SPANWAY_ASSIGN(lookup.marked, markers_.find(handle_, topics));
  return ok_status();
}

// Partitions the ends of whose logs are needed: those without a commit; all of a topic that may
// start at its end; and those committed without an epoch, which the brokers cannot check.
std::vector<TopicPartition> GroupOffsets::unsettled(const Lookup& lookup) const {
  std::set<std::string> from_end;
  std::set<TopicPartition> needed;
  for (const TopicPartition& p : lookup.assigned) {
    if (lookup.is_committed(p) && lookup.committed.at(p).leader_epoch >= 0) continue;
    needed.insert(p);
    if (start_from_ == ConsumerConfig::StartFrom::kLatest && !lookup.has_commit(p.topic) &&
        !is_known(lookup, p.topic)) {
      from_end.insert(p.topic);
    }
  }
  for (const TopicPartition& p : lookup.all) {
    if (from_end.count(p.topic) > 0) needed.insert(p);
  }
  return {needed.begin(), needed.end()};
}

void GroupOffsets::decide(Lookup& lookup) {
  std::map<std::string, bool> at_log_start;
  for (const TopicPartition& partition : lookup.assigned) {
    Start& start = lookup.starts.emplace_back();
    start.partition = partition;
    start.recreated = lookup.recreated.count(partition.topic) > 0;
    if (lookup.is_committed(partition)) {
      native::GroupOffset& committed = lookup.committed.at(partition);
      start.position = {committed.offset, std::move(committed.metadata)};
      start.position.leader_epoch = committed.leader_epoch;
      start.committed = committed.offset;
      const auto last = lookup.last.find(partition);
      if (committed.leader_epoch >= 0 || last == lookup.last.end()) continue;
      if (committed.offset <= last->second.offset) continue;
      // The log has lost its end. Without an epoch the divergence is unknown: resume at the end.
      start.position = {last->second.offset, ""};
      start.position.leader_epoch = last->second.leader_epoch;
      lookup.ours.push_back({partition, last->second.offset, last->second.leader_epoch, ""});
      continue;
    }
    const auto [found, is_new] = at_log_start.try_emplace(partition.topic, false);
    if (is_new) {
      TopicHistory history;
      history.has_commit = lookup.has_commit(partition.topic);
      history.known = is_known(lookup, partition.topic);
      history.group_has_commit =
          std::any_of(lookup.all.begin(), lookup.all.end(),
                      [&lookup](const TopicPartition& p) { return lookup.is_committed(p); }) ||
          !lookup.marked.empty();
      history.complete =
          std::all_of(lookup.first.begin(), lookup.first.end(), [&partition](const auto& entry) {
            return entry.first.topic != partition.topic || entry.second.offset == 0;
          });
      found->second = begins_at_log_start(start_from_, history);
    }
    const native::LogOffset at = found->second
                                     ? native::LogOffset{lookup.first[partition].offset, -1}
                                     : lookup.last[partition];
    start.position.offset = at.offset;
    start.position.leader_epoch = at.leader_epoch;
    start.committed = at.offset;
    lookup.ours.push_back({partition, at.offset, at.leader_epoch, ""});
  }
  // For another member a partition of this topic without a commit would be one that was added
  // later.
  for (const auto& [topic, from_start] : at_log_start) {
    if (from_start) continue;
    for (const auto& [partition, last] : lookup.last) {
      const bool is_ours = std::find(lookup.assigned.begin(), lookup.assigned.end(), partition) !=
                           lookup.assigned.end();
      if (partition.topic == topic && !is_ours) {
        lookup.others.push_back({partition, last.offset, last.leader_epoch, ""});
      }
    }
  }
}

Status GroupOffsets::commit(Lookup& lookup) {
  std::vector<native::GroupOffset> offsets = std::move(lookup.ours);
  if (!lookup.others.empty()) {
    // Their members may have committed meanwhile: those commits are kept.
    std::vector<TopicPartition> partitions;
    for (const native::GroupOffset& other : lookup.others) partitions.push_back(other.partition);
    std::vector<native::GroupOffset> now;
    SPANWAY_ASSIGN(now, native::committed_offsets(handle_, partitions));
    SPANWAY_TRY(check_stopping());
    std::set<TopicPartition> taken;
    for (const native::GroupOffset& offset : now) {
      if (offset.offset >= 0) taken.insert(offset.partition);
    }
    for (native::GroupOffset& other : lookup.others) {
      if (taken.count(other.partition) == 0) offsets.push_back(std::move(other));
    }
  }
  return native::commit_offsets(handle_, offsets);
}

}  // namespace spanway::kafka
