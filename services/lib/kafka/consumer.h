// A member of a consumer group: one librdkafka consumer. The listener decides which records are
// taken, what is committed and when a revocation is complete.
//
// Each assigned partition has a queue of its own that is read only while the listener takes
// records: not reading is the back-pressure (librdkafka stops fetching when its prefetch is full).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/executor.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/consumer_config.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct HeaderView {
  std::string_view name, value;
};

// One record, valid during the call.
struct RecordView {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // Since the epoch; 0 when the record carries none.
  std::string_view key;
  std::string_view value;
  std::span<const HeaderView> headers;
};

// The start offset of a partition, and the metadata committed with it.
struct StartPosition {
  std::int64_t offset = 0;
  std::string metadata;
  std::int32_t leader_epoch = -1;  // Epoch of the record before `offset`; -1 = unknown.
};

struct OffsetCommit {
  TopicPartition partition;
  std::int64_t offset = 0;         // The next one to read.
  std::string metadata;            // At most a few KiB: brokers refuse more than 4096 bytes.
  std::int32_t leader_epoch = -1;  // Set by the consumer: that of the record before; -1 = unknown.
};
// The outcome of a commit, with the offsets as they were sent.
using CommitDone = std::function<void(Status, const std::vector<OffsetCommit>& sent)>;

struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

struct TopicState {
  std::string name;
  std::int32_t partitions = 0;  // 0 while unknown.
  std::string error;            // Empty when the topic is usable.
};

// The state of this member's assignment.
struct Assignment {
  bool ok = true;
  // Set while no partition is assigned although some exist, also when that is fine (ok).
  std::string reason;
};

// All calls on the consumer's executor. None may block.
class ConsumerListener {
 public:
  virtual ~ConsumerListener() = default;
  // The partition is assigned to this member; its records follow.
  virtual void on_assigned(const TopicPartition& partition, const StartPosition& start) = 0;
  // The group has assigned this many partitions at once; after on_assigned() of each.
  virtual void on_assignment(std::size_t /*partitions*/) {}
  // False: no room. The same record is offered again after Consumer::resume_reading().
  virtual bool on_record(const TopicPartition& partition, const RecordView& record) = 0;
  // The group revokes these: finish the batches in flight, commit, then call `done` (once, on the
  // executor). Until then no other member is assigned them.
  virtual void on_revoked(const std::vector<TopicPartition>& partitions,
                          std::function<void()> done) = 0;
  // Lost: they may be assigned to another member already. Commit nothing.
  virtual void on_lost(const std::vector<TopicPartition>& partitions) = 0;
  // End of the partition: every record below `offset` has been offered. Between the last record and
  // `offset` are transaction markers or records deleted unread.
  virtual void on_end(const TopicPartition& partition, std::int64_t offset) = 0;
  // The log no longer has `expected`: reading resumes at `continued_at`. Above `expected`: `lost`
  // records were deleted unread. Below: the log lost `lost` records that had been read (their
  // offsets may hold others now); 0 when the topic was deleted and created again.
  virtual void on_gap(const TopicPartition& partition, std::int64_t expected,
                      std::int64_t continued_at, std::uint64_t lost) = 0;
  virtual void on_error(const Error& error) = 0;
  // The member is fenced by another with the same instance id, and must be closed.
  virtual void on_fatal(const Error& error) = 0;
};

// Every method on the executor, except create, the last six and the destructor. Life: create,
// start, ..., close, then destroy once the executor has stopped or on it.
class Consumer {
 public:
  // `executor` runs on one thread; librdkafka wakes it when there is something to read. Listener,
  // executor and telemetry outlive the consumer.
  static Result<std::unique_ptr<Consumer>> create(const ClientConfig& client,
                                                  const ConsumerConfig& config,
                                                  std::vector<std::string> topics,
                                                  Executor& executor, ConsumerListener& listener,
                                                  telemetry::Telemetry telemetry);
  virtual ~Consumer() = default;

  // Joins the group.
  virtual Status start() = 0;
  // Offers the record that was refused, and those after it.
  virtual void resume_reading(const TopicPartition& partition) = 0;
  // Resumes from `offset`, which was read before; the refused record is dropped. The listener's
  // next record is at that offset or above.
  virtual void rewind(const TopicPartition& partition, std::int64_t offset) = 0;
  // Drops the prefetch and stops fetching; for long stalls only. unpause() reverts it.
  virtual void pause(const TopicPartition& partition) = 0;
  virtual void unpause(const TopicPartition& partition) = 0;
  // `done` runs on the executor, with the first error of any partition.
  virtual void commit(std::vector<OffsetCommit> offsets, CommitDone done) = 0;
  // Nothing before the first answer. Refreshed at least every 5 s, also while a partition is not
  // read.
  virtual std::optional<Watermarks> watermarks(const TopicPartition& partition) = 0;
  // Leaves the group (a static member remains registered). Blocks for at most a few seconds.
  virtual void close() = 0;

  // Thread-safe. Latches with the first metadata; a broker is up now; the subscribed topics (at
  // most 10 s old while a broker is up); the most specific error since the last answer of a broker,
  // empty without; the assignment; the group has refused this consumer and never admitted it.
  virtual bool connected_once() const noexcept = 0;
  virtual bool reachable() const noexcept = 0;
  virtual std::vector<TopicState> topics() const = 0;
  virtual std::string last_error() const = 0;
  virtual Assignment assignment() const = 0;
  virtual bool never_admitted() const = 0;
  // Thread-safe. What this group cannot hold for certain, each with what to do.
  virtual std::vector<std::string> weaknesses() const { return {}; }
  // Thread-safe. An estimate of the memory of records that were fetched and not taken.
  virtual std::uint64_t prefetched_bytes() const noexcept { return 0; }
};

}  // namespace spanway::kafka
