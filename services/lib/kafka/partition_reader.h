// Reads the partitions that a group has assigned to this consumer, each from a queue of its own.
// Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/callback_guard.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/loop.h"
#include "services/lib/kafka/broker_probe.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/group_offsets.h"
#include "services/lib/kafka/queries.h"

struct rd_kafka_s;
struct rd_kafka_message_s;

namespace spanway::kafka {

// Everything on the executor of the consumer. Requests that block run on `requests`, and report
// back by posting to the executor.
class PartitionReader {
 public:
  // All outlive it.
  struct Deps {
    Executor& executor;
    ConsumerListener& listener;
    ConsumerEvents& events;
    Loop& requests;
    BrokerProbe& brokers;
    const std::atomic<bool>& closing;
    std::function<void(const Error&)> report;
  };
  // `read_delay`: ConsumerConfig::read_delay.
  PartitionReader(const Deps& deps, Duration read_delay);
  ~PartitionReader();
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;

  // Both are valid until close(); `offsets` is used on the requests loop alone.
  void open(rd_kafka_s* handle, GroupOffsets& offsets);
  // Drops all partitions.
  void close();

  // Opens a queue for each, before librdkafka is given the assignment; on_assigned() is called for
  // each. start() afterwards moves to the positions that the brokers have to check.
  void add(const std::vector<GroupOffsets::Start>& starts);
  void start();
  // Stops reading; returns those that were assigned.
  std::vector<TopicPartition> stop(const std::vector<TopicPartition>& partitions);
  // Stopped and not dropped.
  std::vector<TopicPartition> stopped() const;
  // Drops those that are stopped, and returns them.
  std::vector<TopicPartition> drop(const std::vector<TopicPartition>& partitions);
  std::size_t size() const noexcept { return partitions_.size(); }

  void resume(const TopicPartition& partition);
  void rewind(const TopicPartition& partition, std::int64_t offset);
  void set_paused(const TopicPartition& partition, bool paused);
  // A queue raises an event only when it stops being empty. One that kept records of an earlier
  // assignment never does until these have been taken out (librdkafka drops them on the way).
  void wake_unread();
  // Assigned partitions of topics that were deleted and created again: from the log's start.
  void restart(const std::set<std::string>& topics);

  std::optional<Watermarks> watermarks(const TopicPartition& partition) const;
  // The partitions whose watermarks no fetch updates; what the brokers reported of them.
  std::vector<TopicPartition> unfetched() const;
  void set_watermarks(const TopicPartition& partition, Watermarks watermarks);
  // The leader epoch to commit with `offset`. Earlier offsets are not committed any more.
  std::int32_t epoch_to_commit(const TopicPartition& partition, std::int64_t offset);

  // Fetched and decompressed bytes: taken by the listener, and waiting.
  struct Load {
    std::uint64_t taken_bytes = 0;
    std::uint64_t queued_bytes = 0;
    bool known = true;  // False while records wait and none has been read yet.
  };
  Load load() const;

 private:
  struct Partition;
  struct Wake;
  // Where the fetch position of a partition is moved to.
  struct Seek {
    std::uint64_t id = 0;
    std::uint64_t number = 0;  // Partition::seeks then: a later one replaces it.
    native::GroupOffset to;
  };

  void post(std::function<void()> function);
  static void on_queue_event(rd_kafka_s*, void* opaque) noexcept;
  void read_ready();
  void wake(std::uint64_t id);
  void wake_now(Partition& partition);
  void read(Partition& partition);
  bool offer(Partition& partition, const rd_kafka_message_s& message);
  bool accept_offset(Partition& partition, std::int64_t offset);
  void check_jump(Partition& partition, std::int64_t offset);
  void open_partition(const GroupOffsets::Start& start);
  Seek begin_seek(Partition& partition, std::int64_t offset, std::int32_t epoch);
  void seek(std::vector<Seek> seeks);
  bool is_current(const Seek& seek) const;
  void finish_seek(const std::vector<Seek>& seeks, const std::set<TopicPartition>& unfinished);
  std::optional<std::uint64_t> queued_bytes(const Partition& partition) const;
  Partition* find(const TopicPartition& partition) const;

  const Deps deps_;
  const Duration read_delay_;
  const CallbackGuard guard_;
  rd_kafka_s* handle_ = nullptr;  // Null while closed.
  GroupOffsets* offsets_ = nullptr;
  std::map<TopicPartition, std::unique_ptr<Partition>> partitions_;
  std::map<std::uint64_t, Partition*> by_id_;
  std::uint64_t next_id_ = 1;
  std::vector<Seek> pending_seeks_;  // Seeks of partitions that were added and not started.
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t taken_records_ = 0;
  std::atomic<bool> reading_soon_{false};
};

}  // namespace spanway::kafka
