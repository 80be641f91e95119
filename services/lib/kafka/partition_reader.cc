#include "services/lib/kafka/partition_reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/offset_epochs.h"

namespace spanway::kafka {
namespace {

constexpr int kRecordsPerTurn = 64;  // Then other partitions have their turn.
constexpr Duration kSeekRetry = std::chrono::milliseconds(100);
constexpr std::uint64_t kRecordOverheadBytes = 256;  // Overhead of a record in librdkafka's queue.
constexpr std::size_t kHeadersMax = 32;  // Headers of one record; further ones are not read.

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const noexcept { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

}  // namespace

// The opaque of a queue's event; lives as long as the event is enabled.
struct PartitionReader::Wake {
  PartitionReader* reader = nullptr;
  std::uint64_t id = 0;
  std::atomic<bool> scheduled{false};
};

// One assigned partition.
struct PartitionReader::Partition {
  TopicPartition name;
  Wake wake;
  native::Queue queue;
  Message refused;  // The record that the listener had no room for.
  bool blocked = false;
  bool revoking = false;
  bool seeking = false;  // The fetch position is being moved: nothing is read
                         // until that is done.
  std::uint64_t seeks = 0;
  std::int64_t expected = 0;
  OffsetEpochs epochs;
  // A jump backwards was checked: the next record is what the log has.
  bool jump_checked = false;
  bool recreated = false;  // That jump is because the topic was deleted and created again.
  // Taken by the listener, with what librdkafka adds to each.
  std::uint64_t taken_bytes = 0;
  std::uint64_t taken_records = 0;
  Watermarks reported{-1, -1};

  ~Partition() {
    refused.reset();
    if (queue) rd_kafka_queue_cb_event_enable(queue.get(), nullptr, nullptr);
  }
};

PartitionReader::PartitionReader(const Deps& deps, Duration read_delay)
    : deps_(deps), read_delay_(read_delay) {}

PartitionReader::~PartitionReader() { close(); }

void PartitionReader::open(rd_kafka_t* handle, GroupOffsets& offsets) {
  handle_ = handle;
  offsets_ = &offsets;
}

void PartitionReader::close() {
  by_id_.clear();
  partitions_.clear();
  handle_ = nullptr;
  offsets_ = nullptr;
}

// Runs on the executor, unless this has been destroyed by then.
void PartitionReader::post(std::function<void()> function) {
  deps_.executor.post(guard_.wrap(std::move(function)));
}

PartitionReader::Partition* PartitionReader::find(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : found->second.get();
}

// --- Waking up ---

// On a thread of librdkafka, with the queue's lock held: does nothing but schedule.
void PartitionReader::on_queue_event(rd_kafka_t*, void* opaque) noexcept {
  auto* wake = static_cast<Wake*>(opaque);
  if (wake->scheduled.exchange(true)) return;
  PartitionReader* self = wake->reader;
  if (self->read_delay_ == Duration::zero()) {
    self->post([self, id = wake->id] { self->wake(id); });
    return;
  }
  if (self->reading_soon_.exchange(true)) return;
  self->deps_.executor.post_after(self->read_delay_,
                                  self->guard_.wrap([self] { self->read_ready(); }));
}

void PartitionReader::read_ready() {
  reading_soon_ = false;
  if (handle_ == nullptr) return;
  for (const auto& [name, partition] : partitions_) {
    if (partition->wake.scheduled.exchange(false)) read(*partition);
  }
}

// Without delay: a record that is offered again has waited already.
void PartitionReader::wake_now(Partition& partition) {
  partition.wake.scheduled = true;
  post([this, id = partition.wake.id] { wake(id); });
}

void PartitionReader::wake(std::uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  found->second->wake.scheduled = false;
  read(*found->second);
}

void PartitionReader::wake_unread() {
  for (const auto& [name, partition] : partitions_) {
    if (!partition->blocked && !partition->seeking && !partition->revoking &&
        rd_kafka_queue_length(partition->queue.get()) > 0) {
      on_queue_event(handle_, &partition->wake);
    }
  }
}

// --- Reading ---

void PartitionReader::read(Partition& partition) {
  for (int i = 0; i < kRecordsPerTurn; ++i) {
    if (partition.blocked || partition.seeking || partition.revoking) return;
    if (!partition.refused) {
      partition.refused.reset(rd_kafka_consume_queue(partition.queue.get(), 0));
    }
    if (!partition.refused) return;
    const rd_kafka_message_t& message = *partition.refused;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (accept_offset(partition, message.offset)) {
        deps_.listener.on_end(partition.name, message.offset);
      }
    } else if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      deps_.report(error_from_code(message.err, "reading " + partition.name.topic + " partition " +
                                                    std::to_string(partition.name.partition) +
                                                    ": " + rd_kafka_message_errstr(&message)));
    } else if (accept_offset(partition, message.offset) && !offer(partition, message)) {
      partition.blocked = true;
      return;
    }
    partition.refused.reset();
  }
  wake_now(partition);
}

bool PartitionReader::offer(Partition& partition, const rd_kafka_message_t& message) {
  std::array<HeaderView, kHeadersMax> headers;
  std::size_t count = 0;
  rd_kafka_headers_t* native_headers = nullptr;
  if (rd_kafka_message_headers(&message, &native_headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (count < kHeadersMax && rd_kafka_header_get_all(native_headers, count, &name, &value,
                                                          &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      headers[count++] = {name, {static_cast<const char*>(value), value == nullptr ? 0 : size}};
    }
  }
  rd_kafka_timestamp_type_t timestamp_type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &timestamp_type);
  RecordView record;
  record.offset = message.offset;
  record.timestamp_ms = timestamp_type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : timestamp;
  record.key = {static_cast<const char*>(message.key), message.key_len};
  record.value = {static_cast<const char*>(message.payload), message.len};
  record.headers = {headers.data(), count};
  if (!deps_.listener.on_record(partition.name, record)) return false;
  partition.expected = message.offset + 1;
  const std::uint64_t bytes = message.len + message.key_len + kRecordOverheadBytes;
  partition.taken_bytes += bytes;
  ++partition.taken_records;
  taken_bytes_ += bytes;
  ++taken_records_;
  partition.epochs.read(message.offset, rd_kafka_message_leader_epoch(&message));
  deps_.brokers.on_traffic();
  return true;
}

// False when reading continues at another offset. Offsets also jump over transaction markers and
// compacted records: only what lies below the log's start has been deleted unread.
bool PartitionReader::accept_offset(Partition& partition, std::int64_t offset) {
  if (offset < partition.expected && !partition.jump_checked) {
    check_jump(partition, offset);
    return false;
  }
  const std::int64_t expected = std::exchange(partition.expected, offset);
  const bool recreated = std::exchange(partition.recreated, false);
  partition.jump_checked = false;
  if (offset < expected) {
    partition.reported = {-1, -1};
    partition.epochs = OffsetEpochs();
    deps_.events.position_jumped(partition.name, expected, offset);
    deps_.listener.on_gap(partition.name, expected, offset,
                          recreated ? 0 : static_cast<std::uint64_t>(expected - offset));
  } else if (offset > expected) {
    const std::optional<Watermarks> marks = watermarks(partition.name);
    if (!marks || marks->low <= expected) return true;
    deps_.events.position_jumped(partition.name, expected, offset);
    deps_.listener.on_gap(partition.name, expected, offset,
                          static_cast<std::uint64_t>(std::min(marks->low, offset) - expected));
  }
  return true;
}

// The log has lost the last record read, or librdkafka has restarted at its beginning because the
// offset was above its end. The leader reports where the log diverged from the one that was read,
// if an epoch is known; a topic that was created again is read from its start.
void PartitionReader::check_jump(Partition& partition, std::int64_t offset) {
  partition.jump_checked = true;
  const std::int32_t epoch = partition.epochs.before(partition.expected);
  const Seek position = begin_seek(partition, epoch < 0 ? offset : partition.expected, epoch);
  deps_.requests.post([this, position] {
    if (deps_.closing) return;
    std::set<std::string> recreated;
    const auto topics = deps_.brokers.request(handle_, deps_.closing);
    if (topics.ok()) recreated = offsets_->observe(*topics);
    post([this, recreated, position] {
      restart(recreated);
      if (is_current(position)) seek({position});
    });
  });
}

void PartitionReader::restart(const std::set<std::string>& topics) {
  std::vector<Seek> seeks;
  for (const auto& [name, partition] : partitions_) {
    if (topics.count(name.topic) == 0) continue;
    partition->refused.reset();
    partition->blocked = false;
    partition->jump_checked = partition->recreated = true;
    seeks.push_back(begin_seek(*partition, native::kLogStart, OffsetEpochs::kUnknown));
  }
  if (seeks.empty()) return;
  deps_.requests.post([this, topics] {
    if (!deps_.closing) offsets_->on_restarted(topics);
  });
  seek(std::move(seeks));
}

void PartitionReader::resume(const TopicPartition& name) {
  Partition* partition = find(name);
  if (partition == nullptr || !partition->blocked) return;
  partition->blocked = false;
  wake_now(*partition);
}

void PartitionReader::rewind(const TopicPartition& name, std::int64_t offset) {
  Partition* partition = find(name);
  if (partition == nullptr || partition->revoking) return;
  partition->refused.reset();
  partition->blocked = false;
  partition->expected = offset;
  partition->jump_checked = false;
  seek({begin_seek(*partition, offset, partition->epochs.before(offset))});
}

void PartitionReader::set_paused(const TopicPartition& name, bool paused) {
  if (handle_ == nullptr || find(name) == nullptr) return;
  const native::PartitionList list = native::make_partition_list(1);
  rd_kafka_topic_partition_list_add(list.get(), name.topic.c_str(), name.partition);
  const rd_kafka_resp_err_t error = paused ? rd_kafka_pause_partitions(handle_, list.get())
                                           : rd_kafka_resume_partitions(handle_, list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    deps_.report(error_from_code(error, paused ? "pausing a partition" : "resuming a partition"));
  }
  wake_unread();
}

// --- Moving the fetch position ---

PartitionReader::Seek PartitionReader::begin_seek(Partition& partition, std::int64_t offset,
                                                  std::int32_t epoch) {
  partition.seeking = true;
  return {partition.wake.id, ++partition.seeks, {partition.name, offset, epoch, ""}};
}

bool PartitionReader::is_current(const Seek& seek) const {
  const auto found = by_id_.find(seek.id);
  return found != by_id_.end() && found->second->seeks == seek.number;
}

void PartitionReader::seek(std::vector<Seek> seeks) {
  if (seeks.empty() || deps_.closing) return;
  deps_.requests.post([this, seeks = std::move(seeks)] {
    if (deps_.closing) return;
    std::vector<native::GroupOffset> positions;
    for (const Seek& seek : seeks) positions.push_back(seek.to);
    std::set<TopicPartition> unfinished;
    for (const native::GroupOffset& position : native::seek(handle_, std::move(positions))) {
      unfinished.insert(position.partition);
    }
    post([this, seeks, unfinished = std::move(unfinished)] { finish_seek(seeks, unfinished); });
  });
}

// Partitions that were revoked, or sought again meanwhile, are left out.
void PartitionReader::finish_seek(const std::vector<Seek>& seeks,
                                  const std::set<TopicPartition>& unfinished) {
  std::vector<Seek> again;
  for (const Seek& seek : seeks) {
    if (!is_current(seek)) continue;
    if (unfinished.count(seek.to.partition) > 0) {
      again.push_back(seek);
      continue;
    }
    Partition& partition = *by_id_.at(seek.id);
    partition.seeking = false;
    deps_.events.seek_finished(partition.name, seek.to.offset, seek.to.leader_epoch);
    wake_now(partition);
  }
  if (again.empty()) return;
  deps_.executor.post_after(kSeekRetry, guard_.wrap([this, again] {
    std::vector<Seek> current;
    std::copy_if(again.begin(), again.end(), std::back_inserter(current),
                 [this](const Seek& seek) { return is_current(seek); });
    seek(std::move(current));
  }));
}

// --- The assignment ---

void PartitionReader::add(const std::vector<GroupOffsets::Start>& starts) {
  for (const GroupOffsets::Start& start : starts) open_partition(start);
}

void PartitionReader::start() {
  seek(std::exchange(pending_seeks_, {}));
  wake_unread();
}

// librdkafka checks the epoch of a position that is sought, not of one that is assigned: so an
// assigned partition is sought before it is read.
void PartitionReader::open_partition(const GroupOffsets::Start& start) {
  const TopicPartition& name = start.partition;
  auto partition = std::make_unique<Partition>();
  partition->name = name;
  partition->expected = start.position.offset;
  partition->epochs = OffsetEpochs(start.position.leader_epoch);
  partition->wake.reader = this;
  partition->wake.id = next_id_++;
  partition->queue.reset(rd_kafka_queue_get_partition(handle_, name.topic.c_str(), name.partition));
  // Before the assignment: its records stay in this queue instead of the group's.
  rd_kafka_queue_forward(partition->queue.get(), nullptr);
  rd_kafka_queue_cb_event_enable(partition->queue.get(), &PartitionReader::on_queue_event,
                                 &partition->wake);
  if (start.position.leader_epoch >= 0 && start.position.offset > 0) {
    pending_seeks_.push_back(
        begin_seek(*partition, start.position.offset, start.position.leader_epoch));
  }
  by_id_[partition->wake.id] = partition.get();
  partitions_[name] = std::move(partition);
  deps_.listener.on_assigned(name, start.position);
  if (start.committed > start.position.offset) {
    deps_.listener.on_gap(name, start.committed, start.position.offset,
                          static_cast<std::uint64_t>(start.committed - start.position.offset));
  }
}

std::vector<TopicPartition> PartitionReader::stop(const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartition> assigned;
  for (const TopicPartition& name : partitions) {
    Partition* partition = find(name);
    if (partition == nullptr) continue;
    partition->revoking = true;
    assigned.push_back(name);
  }
  return assigned;
}

std::vector<TopicPartition> PartitionReader::stopped() const {
  std::vector<TopicPartition> names;
  for (const auto& [name, partition] : partitions_) {
    if (partition->revoking) names.push_back(name);
  }
  return names;
}

std::vector<TopicPartition> PartitionReader::drop(const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartition> dropped;
  for (const TopicPartition& name : partitions) {
    const auto found = partitions_.find(name);
    if (found == partitions_.end() || !found->second->revoking) continue;
    by_id_.erase(found->second->wake.id);
    partitions_.erase(found);
    dropped.push_back(name);
  }
  return dropped;
}

// --- Positions and sizes ---

std::optional<Watermarks> PartitionReader::watermarks(const TopicPartition& name) const {
  const Partition* partition = find(name);
  if (partition == nullptr || handle_ == nullptr) return std::nullopt;
  Watermarks marks = partition->reported;
  std::int64_t low = -1;
  std::int64_t high = -1;
  if (rd_kafka_get_watermark_offsets(handle_, name.topic.c_str(), name.partition, &low, &high) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    marks.low = std::max(marks.low, low);
    marks.high = std::max(marks.high, high);
  }
  if (marks.high < 0) return std::nullopt;
  return marks;
}

std::vector<TopicPartition> PartitionReader::unfetched() const {
  std::vector<TopicPartition> names;
  for (const auto& [name, partition] : partitions_) {
    if (partition->blocked || !watermarks(name)) names.push_back(name);
  }
  return names;
}

void PartitionReader::set_watermarks(const TopicPartition& name, Watermarks watermarks) {
  if (Partition* partition = find(name)) partition->reported = watermarks;
}

std::int32_t PartitionReader::epoch_to_commit(const TopicPartition& name, std::int64_t offset) {
  Partition* partition = find(name);
  if (partition == nullptr) return OffsetEpochs::kUnknown;
  partition->epochs.forget_below(offset);
  return partition->epochs.before(offset);
}

// The queue reports the number of its records; their size is estimated from earlier ones.
// Nothing when no record has been read yet.
std::optional<std::uint64_t> PartitionReader::queued_bytes(const Partition& partition) const {
  const std::uint64_t refused =
      partition.refused ? partition.refused->len + partition.refused->key_len + kRecordOverheadBytes
                        : 0;
  std::uint64_t each =
      partition.taken_records > 0 ? partition.taken_bytes / partition.taken_records : refused;
  if (each == 0 && taken_records_ > 0) each = taken_bytes_ / taken_records_;
  const std::size_t queued = rd_kafka_queue_length(partition.queue.get());
  if (queued > 0 && each == 0) return std::nullopt;
  return refused + queued * each;
}

PartitionReader::Load PartitionReader::load() const {
  Load load;
  load.taken_bytes = taken_bytes_;
  for (const auto& [name, partition] : partitions_) {
    const std::optional<std::uint64_t> bytes = queued_bytes(*partition);
    load.known = load.known && bytes.has_value();
    load.queued_bytes += bytes.value_or(0);
  }
  return load;
}

}  // namespace spanway::kafka
