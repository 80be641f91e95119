#include "services/lib/kafka/consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "services/lib/base/loop.h"
#include "services/lib/kafka/broker_probe.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/fetch_meter.h"
#include "services/lib/kafka/fetch_size.h"
#include "services/lib/kafka/group_offsets.h"
#include "services/lib/kafka/last_error.h"
#include "services/lib/kafka/membership.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/offset_epochs.h"
#include "services/lib/kafka/queries.h"
#include "services/lib/kafka/sasl_password.h"

namespace spanway::kafka {
namespace {

constexpr int kRecordsPerTurn = 64;  // Then other partitions have their turn.
constexpr Duration kLookupRetry = std::chrono::milliseconds(500);
constexpr Duration kSeekRetry = std::chrono::milliseconds(100);
constexpr Duration kTick = std::chrono::seconds(1);
constexpr int kTicksPerProbe = 5;
constexpr Duration kFetchWatch = std::chrono::milliseconds(20);
constexpr std::uint64_t kRecordOverheadBytes = 256;  // Of a record in librdkafka's queue.
constexpr std::size_t kHeadersMax = 32;  // Of one record; further ones are not looked at.

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const noexcept { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

class RdConsumer;

// Where a slot's reading is moved to.
struct Seek {
  std::uint64_t slot = 0;
  std::uint64_t move = 0;  // Slot::moves when it was asked for: a later one takes its place.
  native::GroupOffset to;
};

// Handed to librdkafka as the opaque of a queue's event; lives as long as the event is enabled.
struct Wake {
  RdConsumer* consumer = nullptr;
  std::uint64_t slot = 0;  // 0 = the group's own queue.
  std::atomic<bool> scheduled{false};
};

// One assigned partition.
struct Slot {
  TopicPartition partition;
  Wake wake;
  native::Queue queue;
  Message refused;  // The record that found no room.
  bool blocked = false;
  bool revoking = false;
  bool seeking = false;  // The fetch position is being moved: what comes until then is not read.
  std::uint64_t moves = 0;
  std::int64_t expected = 0;
  OffsetEpochs epochs;
  // A jump backwards was checked: what comes next is what the log has.
  bool checked = false;
  bool made_anew = false;  // That jump is because the topic was deleted and made again.
  // Taken by the listener, with what librdkafka adds to each.
  std::uint64_t taken_bytes = 0;
  std::uint64_t taken_records = 0;
  Watermarks probed{-1, -1};

  ~Slot() {
    refused.reset();
    if (queue) rd_kafka_queue_cb_event_enable(queue.get(), nullptr, nullptr);
  }
};

std::vector<TopicPartition> to_partitions(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  partitions.reserve(static_cast<std::size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) {
    partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  }
  return partitions;
}

native::PartitionList to_list(const std::vector<TopicPartition>& partitions) {
  native::PartitionList list = native::make_partition_list(static_cast<int>(partitions.size()));
  for (const TopicPartition& p : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), p.topic.c_str(), p.partition);
  }
  return list;
}

// A static member that comes back gets its old partitions without a new distribution, also when it
// wants other topics than before. So another subscription makes another member: the id carries a
// fingerprint (FNV-1a) of the topics.
std::string instance_id(const std::string& id, std::vector<std::string> topics) {
  std::sort(topics.begin(), topics.end());
  std::uint32_t hash = 2166136261u;
  for (const std::string& topic : topics) {
    for (const char c : topic + ',') hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  char text[16];
  std::snprintf(text, sizeof(text), ".%08x", hash);
  return id + text;
}

// The error of a call that answers with an rd_kafka_error_t, which it takes over.
Status take_error(rd_kafka_error_t* error, std::string_view what) {
  if (error == nullptr) return ok_status();
  const std::string text = std::string(what) + ": " + rd_kafka_error_string(error);
  const int code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return error_from_code(code, text);
}

// Why the coordinator does not let a consumer in, and what to do about it.
std::optional<std::string> group_refusal(int code, const std::string& group) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "not authorised to read as group " + group + ": grant READ on the group";
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return "group " + group +
             " has a member with another partition assignor: end it, or use a group of its own "
             "(consumer.group)";
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
      return "group " + group + " has as many members as the brokers allow (group.max.size)";
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
      return "the brokers do not allow consumer.session_timeout "
             "(group.min.session.timeout.ms, group.max.session.timeout.ms)";
    default:
      return std::nullopt;
  }
}

class RdConsumer final : public Consumer, private native::Callbacks {
 public:
  RdConsumer(ClientConfig client, ConsumerConfig config, std::vector<std::string> topics,
             Executor& executor, ConsumerListener& listener, telemetry::Telemetry telemetry)
      : Callbacks(telemetry.log),
        client_(std::move(client)),
        config_(std::move(config)),
        topic_names_(std::move(topics)),
        executor_(executor),
        listener_(listener),
        events_(telemetry),
        alive_(std::make_shared<int>(0)),
        fetch_size_(fetch_limits(config_)),
        brokers_(topic_names_),
        password_(client_.sasl),
        lookup_("kafka-lookup", executor.clock()) {}
  ~RdConsumer() override { shut(); }

  Status open();
  Status start() override;
  void resume_reading(const TopicPartition& partition) override;
  void rewind(const TopicPartition& partition, std::int64_t offset) override;
  void pause(const TopicPartition& partition) override { set_paused(partition, true); }
  void unpause(const TopicPartition& partition) override { set_paused(partition, false); }
  void commit(std::vector<OffsetCommit> offsets, std::function<void(Status)> done) override;
  std::optional<Watermarks> watermarks(const TopicPartition& partition) override;
  void close() override { shut(); }
  bool connected_once() const noexcept override { return brokers_.connected_once(); }
  bool reachable() const noexcept override { return brokers_.reachable(); }
  std::vector<TopicState> topics() const override { return brokers_.topics(); }
  std::string last_error() const override { return last_error_.message(); }
  Assignment assignment() const override { return membership_.state(brokers_.topics()); }
  bool never_admitted() const override { return membership_.never_admitted(); }
  std::uint64_t prefetched_bytes() const noexcept override { return prefetched_bytes_; }

 private:
  using Starts = std::vector<GroupOffsets::Start>;

  // Runs on the executor, unless the consumer is gone by then.
  void post(std::function<void()> function) {
    executor_.post([alive = std::weak_ptr<int>(alive_), f = std::move(function)] {
      if (alive.lock()) f();
    });
  }
  static void on_queue_event(rd_kafka_t*, void* opaque) noexcept;
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* list, void* opaque) noexcept;
  static void on_commit(rd_kafka_t*, rd_kafka_resp_err_t error,
                        rd_kafka_topic_partition_list_t* list, void* opaque) noexcept;
  void on_error(int code, const std::string& text, bool fatal) noexcept override;

  void wake(std::uint64_t slot_id);
  void read_news();
  void wake_now(Slot& slot);
  void poll_group();
  void wake_unread();
  void read(Slot& slot);
  bool offer(Slot& slot, const rd_kafka_message_t& message);
  bool arrive(Slot& slot, std::int64_t offset);
  void check_jump(Slot& slot, std::int64_t offset);
  void move(std::vector<Seek> seeks);
  Seek begin_move(Slot& slot, std::int64_t offset, std::int32_t epoch);
  bool is_current(const Seek& seek) const;
  void finish_move(const std::vector<Seek>& seeks, const std::set<TopicPartition>& left);
  void read_anew(const std::set<std::string>& topics);
  void report(const Error& error);

  void assign(std::vector<TopicPartition> partitions);
  void revoke(std::vector<TopicPartition> partitions);
  void start_lookup();
  void open_slot(const GroupOffsets::Start& start, std::vector<Seek>& seeks);
  void finish_assign(std::uint64_t generation, Result<Starts> result);
  void flush_pending_assign();
  void finish_revoke();
  void drop_slots(const std::vector<TopicPartition>& partitions);

  void tick();
  void probe();
  // On lookup_.
  Result<std::vector<native::TopicDescription>> ask_brokers() {
    return brokers_.ask(handle_.get(), [this] { return closing_.load(); });
  }
  static FetchSizeLimits fetch_limits(const ConsumerConfig& config) {
    const auto partitions = static_cast<std::uint64_t>(config.partitions_max);
    return {config.fetch_bytes_max.bytes, config.partition_fetch_bytes_max.bytes,
            fetched_bytes(config, partitions)};
  }
  void watch_fetch();
  // Nothing when no record has been read yet.
  std::optional<std::uint64_t> queued_bytes(const Slot& slot) const;
  void set_paused(const TopicPartition& partition, bool paused);
  Slot* find(const TopicPartition& partition) {
    const auto found = slots_.find(partition);
    return found == slots_.end() ? nullptr : found->second.get();
  }
  void shut();

  const ClientConfig client_;
  const ConsumerConfig config_;
  const std::vector<std::string> topic_names_;
  Executor& executor_;
  ConsumerListener& listener_;
  ConsumerEvents events_;
  std::shared_ptr<int> alive_;
  FetchMeter fetch_meter_;
  FetchSize fetch_size_;
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t taken_records_ = 0;
  std::atomic<std::uint64_t> prefetched_bytes_{0};

  native::Handle handle_;
  native::Queue group_queue_;
  Wake group_wake_;
  std::map<TopicPartition, std::unique_ptr<Slot>> slots_;
  std::map<std::uint64_t, Slot*> slots_by_id_;
  std::uint64_t next_slot_ = 1;
  std::map<std::uintptr_t, std::function<void(Status)>> commits_;
  std::uintptr_t next_commit_ = 1;
  std::vector<TopicPartition> pending_assign_;
  std::vector<TopicPartition> pending_revoke_;
  // Counts rebalances: what was looked up for an older one is dropped.
  std::uint64_t generation_ = 0;
  std::atomic<bool> closing_{false};  // Written on the executor.
  int ticks_ = 0;
  bool probing_ = false;

  std::atomic<bool> reading_soon_{false};
  LastError last_error_;
  Membership membership_;
  BrokerProbe brokers_;                    // Asked on lookup_.
  std::unique_ptr<GroupOffsets> offsets_;  // Used on lookup_ only.
  native::SaslPassword password_;          // Used on lookup_ only.

  // Questions to the brokers that block: offsets, watermarks, metadata. Last member: stops first.
  Loop lookup_;
};

Status RdConsumer::open() {
  const auto milliseconds = [](Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  const auto bytes = [](config::ByteSize size) { return static_cast<std::int64_t>(size.bytes); };
  native::Conf conf;
  native::apply_client(conf, client_, *this);
  conf.set("group.id", config_.group);
  if (!config_.group_instance_id.empty()) {
    conf.set("group.instance.id", instance_id(config_.group_instance_id, topic_names_));
  }
  conf.set("partition.assignment.strategy", "cooperative-sticky");
  conf.set("session.timeout.ms", milliseconds(config_.session_timeout));
  conf.set("heartbeat.interval.ms", milliseconds(config_.heartbeat_interval));
  conf.set("enable.auto.commit", "false");
  conf.set("enable.auto.offset.store", "false");
  // Partitions are always assigned at an explicit offset, so this decides only about offsets that
  // have gone: go on with what is left; arrive() checks it, counts what was lost and says it.
  conf.set("auto.offset.reset", "earliest");
  conf.set("isolation.level", config_.isolation == ConsumerConfig::Isolation::kReadCommitted
                                  ? "read_committed"
                                  : "read_uncommitted");
  conf.set("check.crcs", "true");
  conf.set("enable.partition.eof", "true");  // Tells of markers and deletions at the log's end.
  conf.set("allow.auto.create.topics", "false");
  conf.set("fetch.queue.backoff.ms", 10);
  conf.set("queued.max.messages.kbytes", bytes(config_.prefetch_bytes_max) >> 10);
  // Grows once it is known how far records are compressed; the other must not be larger.
  conf.set("message.max.bytes", 1000);
  conf.set("fetch.max.bytes", static_cast<std::int64_t>(fetch_size_.bytes()));
  SPANWAY_TRY(fetch_meter_.attach(conf));
  conf.set("max.partition.fetch.bytes", bytes(config_.partition_fetch_bytes_max));
  conf.set("receive.message.max.bytes",
           std::max<std::int64_t>(bytes(config_.fetch_bytes_max) + 512, 100'000'000));
  rd_kafka_conf_set_rebalance_cb(conf.raw(), &RdConsumer::on_rebalance);
  native::apply_raw(conf, client_, native::Role::kConsumer);
  SPANWAY_ASSIGN(handle_, native::create_handle(conf, native::Role::kConsumer));
  rd_kafka_poll_set_consumer(handle_.get());
  group_queue_.reset(rd_kafka_queue_get_consumer(handle_.get()));
  group_wake_.consumer = this;
  offsets_ = std::make_unique<GroupOffsets>(handle_.get(), config_, topic_names_, closing_);
  return ok_status();
}

Status RdConsumer::start() {
  rd_kafka_queue_cb_event_enable(group_queue_.get(), &RdConsumer::on_queue_event, &group_wake_);
  native::PartitionList subscription =
      native::make_partition_list(static_cast<int>(topic_names_.size()));
  for (const std::string& topic : topic_names_) {
    rd_kafka_topic_partition_list_add(subscription.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_.get(), subscription.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_from_code(error, "subscribing to topics");
  probe();
  tick();
  watch_fetch();
  return ok_status();
}

// --- Reading ---

// On a thread of librdkafka, with the queue's lock held: only passes the news on.
void RdConsumer::on_queue_event(rd_kafka_t*, void* opaque) noexcept {
  auto* wake = static_cast<Wake*>(opaque);
  if (wake->scheduled.exchange(true)) return;
  RdConsumer* self = wake->consumer;
  if (wake->slot == 0 || self->config_.read_delay == Duration::zero()) {
    self->post([self, slot = wake->slot] { self->wake(slot); });
    return;
  }
  if (self->reading_soon_.exchange(true)) return;
  self->executor_.post_after(self->config_.read_delay,
                             [self, alive = std::weak_ptr<int>(self->alive_)] {
                               if (alive.lock()) self->read_news();
                             });
}

void RdConsumer::read_news() {
  reading_soon_ = false;
  if (!handle_) return;
  for (const auto& [partition, slot] : slots_) {
    if (slot->wake.scheduled.exchange(false)) read(*slot);
  }
}

// Without delay: what is offered again or goes on has waited already.
void RdConsumer::wake_now(Slot& slot) {
  slot.wake.scheduled = true;
  post([this, id = slot.wake.slot] { wake(id); });
}

void RdConsumer::wake(std::uint64_t slot_id) {
  if (!handle_) return;
  if (slot_id == 0) {
    group_wake_.scheduled = false;
    poll_group();
    return;
  }
  const auto found = slots_by_id_.find(slot_id);
  if (found == slots_by_id_.end()) return;
  found->second->wake.scheduled = false;
  read(*found->second);
}

void RdConsumer::poll_group() {
  while (handle_ && !closing_) {
    const Message message(rd_kafka_consumer_poll(handle_.get(), 0));
    if (!message) {
      if (!group_queue_ || rd_kafka_queue_length(group_queue_.get()) == 0) return;
    } else if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
      char detail[512] = {};
      const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle_.get(), detail, sizeof(detail));
      on_error(cause, detail, true);
    } else {
      if (auto refusal = group_refusal(message->err, config_.group)) {
        membership_.refused(*std::move(refusal));
      }
      report(error_from_code(message->err,
                             std::string("consuming: ") + rd_kafka_message_errstr(message.get())));
    }
  }
}

void RdConsumer::read(Slot& slot) {
  for (int i = 0; i < kRecordsPerTurn; ++i) {
    if (slot.blocked || slot.seeking || slot.revoking) return;
    if (!slot.refused) slot.refused.reset(rd_kafka_consume_queue(slot.queue.get(), 0));
    if (!slot.refused) return;
    const rd_kafka_message_t& message = *slot.refused;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (arrive(slot, message.offset)) listener_.on_end(slot.partition, message.offset);
    } else if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      report(error_from_code(message.err, "reading " + slot.partition.topic + " partition " +
                                              std::to_string(slot.partition.partition) + ": " +
                                              rd_kafka_message_errstr(&message)));
    } else if (arrive(slot, message.offset) && !offer(slot, message)) {
      slot.blocked = true;
      return;
    }
    slot.refused.reset();
  }
  wake_now(slot);
}

bool RdConsumer::offer(Slot& slot, const rd_kafka_message_t& message) {
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
  if (!listener_.on_record(slot.partition, record)) return false;
  slot.expected = message.offset + 1;
  const std::uint64_t bytes = message.len + message.key_len + kRecordOverheadBytes;
  slot.taken_bytes += bytes;
  ++slot.taken_records;
  taken_bytes_ += bytes;
  ++taken_records_;
  slot.epochs.read(message.offset, rd_kafka_message_leader_epoch(&message));
  brokers_.heard();
  return true;
}

// False when reading goes on elsewhere. Offsets also jump over transaction markers and compacted
// records: only what lies below the log's start has been deleted unread.
bool RdConsumer::arrive(Slot& slot, std::int64_t offset) {
  if (offset < slot.expected && !slot.checked) {
    check_jump(slot, offset);
    return false;
  }
  const std::int64_t expected = std::exchange(slot.expected, offset);
  const bool made_anew = std::exchange(slot.made_anew, false);
  slot.checked = false;
  if (offset < expected) {
    slot.probed = {-1, -1};
    slot.epochs = OffsetEpochs();
    listener_.on_gap(slot.partition, expected, offset,
                     made_anew ? 0 : static_cast<std::uint64_t>(expected - offset));
  } else if (offset > expected) {
    const std::optional<Watermarks> marks = watermarks(slot.partition);
    if (!marks || marks->low <= expected) return true;
    listener_.on_gap(slot.partition, expected, offset,
                     static_cast<std::uint64_t>(std::min(marks->low, offset) - expected));
  }
  return true;
}

// The log no longer has what was read last, or librdkafka has begun it again because the offset lay
// above its end. The leader knows where the log parted from the one that was read, if an epoch is
// known; a topic that was made again is read from its start.
void RdConsumer::check_jump(Slot& slot, std::int64_t offset) {
  slot.checked = true;
  const std::int32_t epoch = slot.epochs.before(slot.expected);
  const Seek seek = begin_move(slot, epoch < 0 ? offset : slot.expected, epoch);
  lookup_.post([this, seek] {
    if (closing_) return;
    std::set<std::string> made_anew;
    if (const auto topics = ask_brokers(); topics.ok()) {
      made_anew = offsets_->notice(*topics);
    }
    post([this, made_anew, seek] {
      read_anew(made_anew);
      if (is_current(seek)) move({seek});
    });
  });
}

void RdConsumer::read_anew(const std::set<std::string>& topics) {
  std::vector<Seek> seeks;
  for (const auto& [partition, slot] : slots_) {
    if (topics.count(partition.topic) == 0) continue;
    slot->refused.reset();
    slot->blocked = false;
    slot->checked = slot->made_anew = true;
    seeks.push_back(begin_move(*slot, native::kLogStart, OffsetEpochs::kUnknown));
  }
  if (seeks.empty()) return;
  lookup_.post([this, topics] { offsets_->taken_over(topics); });
  move(std::move(seeks));
}

Seek RdConsumer::begin_move(Slot& slot, std::int64_t offset, std::int32_t epoch) {
  slot.seeking = true;
  return {slot.wake.slot, ++slot.moves, {slot.partition, offset, epoch, ""}};
}

bool RdConsumer::is_current(const Seek& seek) const {
  const auto found = slots_by_id_.find(seek.slot);
  return found != slots_by_id_.end() && found->second->moves == seek.move;
}

void RdConsumer::move(std::vector<Seek> seeks) {
  if (seeks.empty() || closing_) return;
  lookup_.post([this, seeks = std::move(seeks)] {
    std::vector<native::GroupOffset> positions;
    for (const Seek& seek : seeks) positions.push_back(seek.to);
    if (closing_) return;
    std::set<TopicPartition> left;
    for (const native::GroupOffset& position : native::seek(handle_.get(), std::move(positions))) {
      left.insert(position.partition);
    }
    post([this, seeks, left = std::move(left)] { finish_move(seeks, left); });
  });
}

// Slots that have gone, or are moved elsewhere by now, are left out.
void RdConsumer::finish_move(const std::vector<Seek>& seeks, const std::set<TopicPartition>& left) {
  std::vector<Seek> again;
  for (const Seek& seek : seeks) {
    if (!is_current(seek)) continue;
    if (left.count(seek.to.partition) > 0) {
      again.push_back(seek);
      continue;
    }
    Slot& slot = *slots_by_id_.at(seek.slot);
    slot.seeking = false;
    wake_now(slot);
  }
  if (again.empty()) return;
  executor_.post_after(kSeekRetry, [this, alive = std::weak_ptr<int>(alive_), again] {
    if (!alive.lock()) return;
    std::vector<Seek> current;
    std::copy_if(again.begin(), again.end(), std::back_inserter(current),
                 [this](const Seek& seek) { return is_current(seek); });
    move(std::move(current));
  });
}

void RdConsumer::resume_reading(const TopicPartition& partition) {
  Slot* slot = find(partition);
  if (slot == nullptr || !slot->blocked) return;
  slot->blocked = false;
  wake_now(*slot);
}

void RdConsumer::rewind(const TopicPartition& partition, std::int64_t offset) {
  Slot* slot = find(partition);
  if (slot == nullptr || slot->revoking) return;
  slot->refused.reset();
  slot->blocked = false;
  slot->expected = offset;
  slot->checked = false;
  move({begin_move(*slot, offset, slot->epochs.before(offset))});
}

void RdConsumer::report(const Error& error) {
  events_.client_error(error);
  last_error_.note(error);
  listener_.on_error(error);
}

void RdConsumer::on_error(int code, const std::string& text, bool fatal) noexcept {
  Error error = error_from_code(code, text);
  if (fatal) {
    listener_.on_fatal(error);
    return;
  }
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) brokers_.all_down();
  if (auto refusal = group_refusal(code, config_.group)) membership_.refused(*std::move(refusal));
  report(error);
}

// --- Rebalancing ---

void RdConsumer::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t* list, void* opaque) noexcept {
  auto* self = static_cast<RdConsumer*>(static_cast<Callbacks*>(opaque));
  ++self->generation_;
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->assign(to_partitions(list));
  } else if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    self->revoke(to_partitions(list));
  } else {
    self->report(error_from_code(error, "joining the group"));
    rd_kafka_assign(handle, nullptr);
  }
}

void RdConsumer::assign(std::vector<TopicPartition> partitions) {
  membership_.assigned(slots_.size() + partitions.size());
  pending_assign_ = std::move(partitions);
  if (pending_assign_.empty() || closing_) {
    flush_pending_assign();
    return;
  }
  start_lookup();
}

// Answers the group without starting to read.
void RdConsumer::flush_pending_assign() {
  const native::PartitionList list = to_list(std::exchange(pending_assign_, {}));
  const Status status =
      take_error(rd_kafka_incremental_assign(handle_.get(), list.get()), "taking partitions");
  if (!status.ok()) report(status.error());
}

void RdConsumer::start_lookup() {
  lookup_.post([this, generation = generation_, partitions = pending_assign_] {
    if (closing_) return;
    // Moved into the executor by a shared pointer: functions must be copyable.
    auto result = std::make_shared<Result<Starts>>(offsets_->look_up(partitions));
    post([this, generation, result] { finish_assign(generation, std::move(*result)); });
  });
}

void RdConsumer::finish_assign(std::uint64_t generation, Result<Starts> result) {
  if (generation != generation_ || closing_ || !handle_) return;
  if (!result.ok()) {
    report(result.error());
    executor_.post_after(kLookupRetry, [this, alive = std::weak_ptr<int>(alive_), generation] {
      if (alive.lock() && generation == generation_ && !closing_) start_lookup();
    });
    return;
  }
  pending_assign_.clear();
  std::set<std::string> made_anew;
  for (const GroupOffsets::Start& start : *result) {
    if (start.made_anew) made_anew.insert(start.partition.topic);
  }
  read_anew(made_anew);  // Those of its partitions that are held already.
  const native::PartitionList list = native::make_partition_list(static_cast<int>(result->size()));
  std::vector<Seek> seeks;
  for (const GroupOffsets::Start& start : *result) {
    native::fill(rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(),
                                                   start.partition.partition),
                 start.position.offset, start.leader_epoch, "");
    open_slot(start, seeks);
  }
  events_.assigned(result->size(), slots_.size());
  const Status status =
      take_error(rd_kafka_incremental_assign(handle_.get(), list.get()), "taking partitions");
  if (!status.ok()) report(status.error());
  move(std::move(seeks));
  wake_unread();
}

// librdkafka checks the epoch of a position that is sought, not of one that is assigned: so what is
// assigned is sought before it is read.
void RdConsumer::open_slot(const GroupOffsets::Start& start, std::vector<Seek>& seeks) {
  const TopicPartition& partition = start.partition;
  auto slot = std::make_unique<Slot>();
  slot->partition = partition;
  slot->expected = start.position.offset;
  slot->epochs = OffsetEpochs(start.leader_epoch);
  slot->wake.consumer = this;
  slot->wake.slot = next_slot_++;
  slot->queue.reset(
      rd_kafka_queue_get_partition(handle_.get(), partition.topic.c_str(), partition.partition));
  // Before the assignment: its records stay in this queue instead of the group's.
  rd_kafka_queue_forward(slot->queue.get(), nullptr);
  rd_kafka_queue_cb_event_enable(slot->queue.get(), &RdConsumer::on_queue_event, &slot->wake);
  if (start.leader_epoch >= 0 && start.position.offset > 0) {
    seeks.push_back(begin_move(*slot, start.position.offset, start.leader_epoch));
  }
  slots_by_id_[slot->wake.slot] = slot.get();
  slots_[partition] = std::move(slot);
  listener_.on_assigned(partition, start.position);
  if (start.committed > start.position.offset) {
    listener_.on_gap(partition, start.committed, start.position.offset,
                     static_cast<std::uint64_t>(start.committed - start.position.offset));
  }
}

// A queue says something only when it stops being empty. One that kept records of an earlier
// assignment never does until these have been taken out (librdkafka drops them on the way).
void RdConsumer::wake_unread() {
  for (const auto& [partition, slot] : slots_) {
    if (!slot->blocked && !slot->seeking && !slot->revoking &&
        rd_kafka_queue_length(slot->queue.get()) > 0) {
      on_queue_event(handle_.get(), &slot->wake);
    }
  }
}

void RdConsumer::revoke(std::vector<TopicPartition> partitions) {
  // A session can be lost while the start of an assignment is still being looked up; librdkafka
  // takes back only what it has given.
  if (!pending_assign_.empty()) flush_pending_assign();
  pending_revoke_ = std::move(partitions);
  std::vector<TopicPartition> held;
  for (const TopicPartition& partition : pending_revoke_) {
    Slot* slot = find(partition);
    if (slot == nullptr) continue;
    slot->revoking = true;
    held.push_back(partition);
  }
  const bool lost = rd_kafka_assignment_lost(handle_.get()) != 0;
  if (lost) membership_.lost();
  if (lost && !held.empty()) listener_.on_lost(held);
  if (lost || closing_ || held.empty()) {
    finish_revoke();
    events_.revoked(held.size(), slots_.size(), lost);
    return;
  }
  listener_.on_revoked(
      held, [this, alive = std::weak_ptr<int>(alive_), generation = generation_, n = held.size()] {
        if (!alive.lock() || generation != generation_ || !handle_ || closing_) return;
        finish_revoke();
        events_.revoked(n, slots_.size(), false);
      });
}

void RdConsumer::finish_revoke() {
  const std::vector<TopicPartition> partitions = std::exchange(pending_revoke_, {});
  drop_slots(partitions);
  const native::PartitionList list = to_list(partitions);
  const Status status = take_error(rd_kafka_incremental_unassign(handle_.get(), list.get()),
                                   "giving partitions back");
  if (!status.ok()) report(status.error());
}

void RdConsumer::drop_slots(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions) {
    const auto found = slots_.find(partition);
    if (found == slots_.end()) continue;
    slots_by_id_.erase(found->second->wake.slot);
    slots_.erase(found);
  }
  membership_.revoked(slots_.size());
}

// --- Committing ---

void RdConsumer::commit(std::vector<OffsetCommit> offsets, std::function<void(Status)> done) {
  if (!handle_ || closing_) {
    done(unavailable("the consumer is closed"));
    return;
  }
  const native::PartitionList list = native::make_partition_list(static_cast<int>(offsets.size()));
  for (const OffsetCommit& commit : offsets) {
    Slot* slot = find(commit.partition);
    if (slot != nullptr) slot->epochs.forget_below(commit.offset);
    native::fill(rd_kafka_topic_partition_list_add(list.get(), commit.partition.topic.c_str(),
                                                   commit.partition.partition),
                 commit.offset,
                 slot == nullptr ? OffsetEpochs::kUnknown : slot->epochs.before(commit.offset),
                 commit.metadata);
  }
  const std::uintptr_t id = next_commit_++;
  commits_[id] = std::move(done);
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(handle_.get(), list.get(), group_queue_.get(), &RdConsumer::on_commit,
                            reinterpret_cast<void*>(id));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  auto failed = commits_.extract(id);
  failed.mapped()(error_from_code(error, "committing offsets"));
}

// The opaque is a number: a commit whose answer never comes leaves nothing behind but its entry.
// Whoever waits is told later, not from here: it may close the consumer, and librdkafka would then
// wait for the very operation that it is serving.
void RdConsumer::on_commit(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* list, void* opaque) noexcept {
  auto* self = static_cast<RdConsumer*>(static_cast<Callbacks*>(rd_kafka_opaque(handle)));
  auto found = self->commits_.extract(reinterpret_cast<std::uintptr_t>(opaque));
  if (found.empty()) return;
  for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && list != nullptr && i < list->cnt; ++i) {
    error = list->elems[i].err;
  }
  Status status = ok_status();
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Error failure = error_from_code(error, "committing offsets");
    self->events_.commit_failed(failure);
    status = std::move(failure);
  } else {
    self->brokers_.heard();
  }
  self->executor_.post([alive = std::weak_ptr<int>(self->alive_), done = std::move(found.mapped()),
                        status = std::move(status)] {
    if (alive.lock()) done(status);
  });
}

// --- Keeping watch ---

void RdConsumer::tick() {
  if (!handle_ || closing_) return;
  poll_group();
  wake_unread();
  if (++ticks_ % kTicksPerProbe == 0 || !brokers_.reachable()) probe();
  executor_.post_after(kTick, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.lock()) tick();
  });
}

// The queue tells how many records it holds; how large they are is known of those before.
std::optional<std::uint64_t> RdConsumer::queued_bytes(const Slot& slot) const {
  const std::uint64_t refused =
      slot.refused ? slot.refused->len + slot.refused->key_len + kRecordOverheadBytes : 0;
  std::uint64_t each = slot.taken_records > 0 ? slot.taken_bytes / slot.taken_records : refused;
  if (each == 0 && taken_records_ > 0) each = taken_bytes_ / taken_records_;
  const std::size_t queued = rd_kafka_queue_length(slot.queue.get());
  if (queued > 0 && each == 0) return std::nullopt;
  return refused + queued * each;
}

void RdConsumer::watch_fetch() {
  if (!handle_ || closing_) return;
  std::uint64_t queued = 0;
  bool known = true;
  for (const auto& [partition, slot] : slots_) {
    const std::optional<std::uint64_t> bytes = queued_bytes(*slot);
    known = known && bytes.has_value();
    queued += bytes.value_or(0);
  }
  prefetched_bytes_ = queued;
  const std::uint64_t before = fetch_size_.bytes();
  if (known) {
    fetch_size_.observe(fetch_meter_.wire_bytes(), taken_bytes_ + queued, slots_.size());
  }
  if (fetch_size_.bytes() != before) set_fetch_bytes(handle_.get(), fetch_size_.bytes());
  executor_.post_after(kFetchWatch, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.lock()) watch_fetch();
  });
}

// Asks the brokers whether they are there, and for the ends of partitions that are not being read
// (librdkafka learns them with each fetch only).
void RdConsumer::probe() {
  if (probing_) return;
  probing_ = true;
  std::vector<TopicPartition> unread;
  for (const auto& [partition, slot] : slots_) {
    if (slot->blocked || !watermarks(partition)) unread.push_back(partition);
  }
  lookup_.post([this, unread = std::move(unread)] {
    if (closing_) return;
    if (const Result<bool> changed = password_.refresh(handle_.get()); !changed.ok()) {
      last_error_.note(changed.error());
      events_.client_error(changed.error());
    }
    std::set<std::string> made_anew;
    native::LogOffsets low;
    native::LogOffsets high;
    if (const auto topics = ask_brokers(); topics.ok()) {
      last_error_.clear();
      made_anew = offsets_->notice(*topics);
      const bool committed = config_.isolation == ConsumerConfig::Isolation::kReadCommitted;
      if (closing_) return;
      low = native::list_offsets(handle_.get(), unread, native::LogEnd::kFirst, committed);
      if (closing_) return;
      high = native::list_offsets(handle_.get(), unread, native::LogEnd::kLast, committed);
    }
    post([this, made_anew, low = std::move(low.found), high = std::move(high.found)] {
      probing_ = false;
      for (const auto& [partition, last] : high) {
        const auto first = low.find(partition);
        Slot* slot = find(partition);
        if (slot != nullptr && first != low.end())
          slot->probed = {first->second.offset, last.offset};
      }
      read_anew(made_anew);
    });
  });
}

std::optional<Watermarks> RdConsumer::watermarks(const TopicPartition& partition) {
  const Slot* slot = find(partition);
  if (slot == nullptr || !handle_) return std::nullopt;
  Watermarks marks = slot->probed;
  std::int64_t low = -1;
  std::int64_t high = -1;
  if (rd_kafka_get_watermark_offsets(handle_.get(), partition.topic.c_str(), partition.partition,
                                     &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    marks.low = std::max(marks.low, low);
    marks.high = std::max(marks.high, high);
  }
  if (marks.high < 0) return std::nullopt;
  return marks;
}

void RdConsumer::set_paused(const TopicPartition& partition, bool paused) {
  if (!handle_ || find(partition) == nullptr) return;
  const native::PartitionList list = to_list({partition});
  const rd_kafka_resp_err_t error = paused ? rd_kafka_pause_partitions(handle_.get(), list.get())
                                           : rd_kafka_resume_partitions(handle_.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    report(error_from_code(error, paused ? "pausing a partition" : "resuming a partition"));
  }
  wake_unread();
}

void RdConsumer::shut() {
  if (!handle_) return;
  closing_ = true;
  ++generation_;
  lookup_.stop();
  offsets_.reset();
  rd_kafka_queue_cb_event_enable(group_queue_.get(), nullptr, nullptr);
  // Whatever the group waits for is answered first; closing would wait for it.
  if (!pending_assign_.empty()) flush_pending_assign();
  if (!pending_revoke_.empty()) finish_revoke();
  slots_by_id_.clear();
  slots_.clear();
  group_queue_.reset();
  rd_kafka_consumer_close(handle_.get());
  commits_.clear();
  handle_.reset();
  alive_.reset();
}

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::create(const ClientConfig& client,
                                                   const ConsumerConfig& config,
                                                   std::vector<std::string> topics,
                                                   Executor& executor, ConsumerListener& listener,
                                                   telemetry::Telemetry telemetry) {
  auto consumer = std::make_unique<RdConsumer>(client, config, std::move(topics), executor,
                                               listener, telemetry);
  SPANWAY_TRY(consumer->open());
  return std::unique_ptr<Consumer>(std::move(consumer));
}

}  // namespace spanway::kafka
