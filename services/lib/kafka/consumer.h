// A member of a consumer group: a thin shell around one librdkafka consumer. It decides nothing:
// what is taken, kept, committed or given up is the listener's business.
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

// One record, valid during the call that hands it out.
struct RecordView {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // Since the epoch; 0 when the record carries none.
  std::string_view key;
  std::string_view value;
  std::span<const HeaderView> headers;
};

// Where reading a partition begins, and what was committed with that offset.
struct StartPosition {
  std::int64_t offset = 0;
  std::string metadata;
};

struct OffsetCommit {
  TopicPartition partition;
  std::int64_t offset = 0;  // The next one to read.
  std::string metadata;     // At most a few KiB: brokers refuse more than 4096 bytes.
};

struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

struct TopicState {
  std::string name;
  std::int32_t partitions = 0;  // 0 while unknown.
  std::string error;            // Why not, empty when all is well.
};

// Whether this member has its part of the group's partitions.
struct Assignment {
  bool ok = true;
  std::string reason;  // Why no partition is held although some exist; may be set when ok is true.
};

// All calls on the consumer's executor. None may block.
class ConsumerListener {
 public:
  virtual ~ConsumerListener() = default;
  // The partition is ours; its records follow.
  virtual void on_assigned(const TopicPartition& partition, const StartPosition& start) = 0;
  // False: there is no room. The same record is offered again after Consumer::resume_reading().
  virtual bool on_record(const TopicPartition& partition, const RecordView& record) = 0;
  // The group wants these back: finish what is in flight, commit, then call `done` (once, on the
  // executor). Until then nobody else gets them.
  virtual void on_revoked(const std::vector<TopicPartition>& partitions,
                          std::function<void()> done) = 0;
  // They belong to somebody else already: commit nothing.
  virtual void on_lost(const std::vector<TopicPartition>& partitions) = 0;
  // Every record below `offset` has been offered, and the log has no further one: what lies between
  // the last record and `offset` are transaction markers or records deleted unread.
  virtual void on_end(const TopicPartition& partition, std::int64_t offset) = 0;
  // The wanted offset no longer exists: reading goes on at `continued_at`. Above `expected`: `lost`
  // records were deleted unread. Below: the log lost `lost` records that had been read (others may
  // stand at their offsets now); 0 when the topic was deleted and made again.
  virtual void on_gap(const TopicPartition& partition, std::int64_t expected,
                      std::int64_t continued_at, std::uint64_t lost) = 0;
  virtual void on_error(const Error& error) = 0;
  // The member is of no more use (fenced by another with the same instance id).
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
  // Reads on from `offset`, which was read before; what was offered and refused is forgotten. The
  // listener's next record is at that offset or behind it.
  virtual void rewind(const TopicPartition& partition, std::int64_t offset) = 0;
  // Throws the prefetch away and stops fetching; for long stalls only. unpause() undoes it.
  virtual void pause(const TopicPartition& partition) = 0;
  virtual void unpause(const TopicPartition& partition) = 0;
  // `done` runs on the executor, with the first error of any partition.
  virtual void commit(std::vector<OffsetCommit> offsets, std::function<void(Status)> done) = 0;
  // As last seen; nothing before the first answer. Refreshed at least every 5 s, also while a
  // partition is not read.
  virtual std::optional<Watermarks> watermarks(const TopicPartition& partition) = 0;
  // Leaves the group (a static member stays known). Blocks for at most a few seconds.
  virtual void close() = 0;

  // Thread-safe. Latches with the first metadata; a broker is up now; the subscribed topics as last
  // seen (at most 10 s old while a broker is up); the most telling error since a broker has
  // answered last, empty when there is none; the part in the group; the group has refused this
  // consumer and never had it.
  virtual bool connected_once() const noexcept = 0;
  virtual bool reachable() const noexcept = 0;
  virtual std::vector<TopicState> topics() const = 0;
  virtual std::string last_error() const = 0;
  virtual Assignment assignment() const = 0;
  virtual bool never_admitted() const = 0;
  // Thread-safe. What records that were fetched and not taken hold in memory, about.
  virtual std::uint64_t prefetched_bytes() const noexcept { return 0; }
};

}  // namespace spanway::kafka
