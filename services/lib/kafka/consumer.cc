#include "services/lib/kafka/consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include "services/lib/base/callback_guard.h"
#include "services/lib/base/loop.h"
#include "services/lib/kafka/broker_probe.h"
#include "services/lib/kafka/client_credentials.h"
#include "services/lib/kafka/consumer_options.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/fetch_meter.h"
#include "services/lib/kafka/fetch_size.h"
#include "services/lib/kafka/group_offsets.h"
#include "services/lib/kafka/last_error.h"
#include "services/lib/kafka/membership.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/offset_commits.h"
#include "services/lib/kafka/partition_reader.h"
#include "services/lib/kafka/pending_starts.h"
#include "services/lib/kafka/queries.h"
#include "services/lib/kafka/start_markers.h"

namespace spanway::kafka {
namespace {

constexpr Duration kLookupRetry = std::chrono::milliseconds(500);
constexpr Duration kTick = std::chrono::seconds(1);
constexpr int kTicksPerProbe = 5;
constexpr Duration kFetchCheck = std::chrono::milliseconds(20);

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const noexcept { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

// The error of a call that answers with an rd_kafka_error_t, which it takes over.
Status take_error(rd_kafka_error_t* error, std::string_view what) {
  if (error == nullptr) return ok_status();
  const std::string text = std::string(what) + ": " + rd_kafka_error_string(error);
  const int code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return error_from_code(code, text);
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
        fetch_size_(fetch_limits(config_)),
        brokers_(topic_names_),
        start_markers_(config_, closing_),
        credentials_(client_),
        requests_("kafka-requests", executor.clock()),
        reader_({executor_, listener_, events_, requests_, brokers_, closing_,
                 [this](const Error& error) { report(error); }},
                config_.read_delay) {}
  ~RdConsumer() override { shut(); }

  Status open();
  Status start() override;
  void resume_reading(const TopicPartition& partition) override { reader_.resume(partition); }
  void rewind(const TopicPartition& partition, std::int64_t offset) override {
    reader_.rewind(partition, offset);
  }
  void pause(const TopicPartition& partition) override { reader_.set_paused(partition, true); }
  void unpause(const TopicPartition& partition) override { reader_.set_paused(partition, false); }
  void commit(std::vector<OffsetCommit> offsets, CommitDone done) override;
  std::optional<Watermarks> watermarks(const TopicPartition& partition) override {
    return reader_.watermarks(partition);
  }
  void close() override { shut(); }
  bool connected_once() const noexcept override { return brokers_.connected_once(); }
  bool reachable() const noexcept override { return brokers_.reachable(); }
  std::vector<TopicState> topics() const override { return brokers_.topics(); }
  std::string last_error() const override { return last_error_.message(); }
  Assignment assignment() const override { return membership_.state(brokers_.topics()); }
  bool never_admitted() const override { return membership_.never_admitted(); }
  std::vector<std::string> weaknesses() const override { return start_markers_.missing(); }
  std::uint64_t prefetched_bytes() const noexcept override { return prefetched_bytes_; }

 private:
  using Starts = std::vector<GroupOffsets::Start>;

  static void on_group_event(rd_kafka_t*, void* opaque) noexcept;
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* list, void* opaque) noexcept;
  static void on_commit(rd_kafka_t*, rd_kafka_resp_err_t error,
                        rd_kafka_topic_partition_list_t* list, void* opaque) noexcept;
  void on_error(int code, const std::string& text, bool fatal) noexcept override;

  void poll_group();
  void report(const Error& error);

  void assign(const std::vector<TopicPartition>& partitions);
  void revoke(const std::vector<TopicPartition>& partitions);
  void resolve_starts(std::uint64_t lookup);
  void finish_assign(std::uint64_t lookup, Result<Starts> result);
  void take(const Starts& starts);
  void give_back(const std::vector<TopicPartition>& partitions);
  void explain_loss(std::vector<TopicPartition> partitions);

  void tick();
  void probe();
  static FetchSizeLimits fetch_limits(const ConsumerConfig& config) {
    const auto partitions = static_cast<std::uint64_t>(config.partitions_max);
    return {config.fetch_bytes_max.bytes, config.partition_fetch_bytes_max.bytes,
            fetched_bytes(config, partitions)};
  }
  void adapt_fetch_size();
  void shut();

  const ClientConfig client_;
  const ConsumerConfig config_;
  const std::vector<std::string> topic_names_;
  Executor& executor_;
  ConsumerListener& listener_;
  ConsumerEvents events_;
  FetchMeter fetch_meter_;
  FetchSize fetch_size_;
  std::atomic<std::uint64_t> prefetched_bytes_{0};

  native::Handle handle_;
  native::Queue group_queue_;
  std::atomic<bool> group_scheduled_{false};
  PendingStarts pending_;
  std::atomic<bool> closing_{false};  // Written on the executor.
  int ticks_ = 0;
  bool probing_ = false;

  LastError last_error_;
  Membership membership_;
  BrokerProbe brokers_;                    // Requests run on requests_.
  StartMarkers start_markers_;             // Used on requests_, but for missing().
  std::unique_ptr<GroupOffsets> offsets_;  // Used on requests_ only.
  native::ClientCredentials credentials_;  // Used on requests_ only.

  // Requests to the brokers that block: offsets, watermarks, metadata. Stopped first by shut().
  Loop requests_;
  PartitionReader reader_;
  OffsetCommits commits_{events_, reader_};
  CallbackGuard guard_;
};

Status RdConsumer::open() {
  native::Conf conf;
  native::apply_client(conf, client_, *this);
  native::apply_consumer(conf, config_, topic_names_);
  conf.set("fetch.max.bytes", static_cast<std::int64_t>(fetch_size_.bytes()));
  SPANWAY_TRY(fetch_meter_.attach(conf));
  rd_kafka_conf_set_rebalance_cb(conf.raw(), &RdConsumer::on_rebalance);
  native::apply_raw(conf, client_, native::Role::kConsumer);
  SPANWAY_ASSIGN(handle_, native::create_handle(conf, client_, native::Role::kConsumer));
  rd_kafka_poll_set_consumer(handle_.get());
  group_queue_.reset(rd_kafka_queue_get_consumer(handle_.get()));
  offsets_ = std::make_unique<GroupOffsets>(handle_.get(), config_, topic_names_, start_markers_,
                                            closing_);
  reader_.open(handle_.get(), *offsets_);
  return ok_status();
}

Status RdConsumer::start() {
  rd_kafka_queue_cb_event_enable(group_queue_.get(), &RdConsumer::on_group_event, this);
  native::PartitionList subscription =
      native::make_partition_list(static_cast<int>(topic_names_.size()));
  for (const std::string& topic : topic_names_) {
    rd_kafka_topic_partition_list_add(subscription.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_.get(), subscription.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_from_code(error, "subscribing to topics");
  probe();
  tick();
  adapt_fetch_size();
  return ok_status();
}

// On a thread of librdkafka, with the queue's lock held: does nothing but schedule.
void RdConsumer::on_group_event(rd_kafka_t*, void* opaque) noexcept {
  auto* self = static_cast<RdConsumer*>(opaque);
  if (self->group_scheduled_.exchange(true)) return;
  self->executor_.post(self->guard_.wrap([self] {
    self->group_scheduled_ = false;
    self->poll_group();
  }));
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

void RdConsumer::report(const Error& error) {
  events_.client_error(error);
  last_error_.note(error);
  listener_.on_error(error);
}

void RdConsumer::on_error(int code, const std::string& text, bool fatal) noexcept {
  Error error = error_from_code(code, text);
  if (fatal) return listener_.on_fatal(error);
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) brokers_.on_all_brokers_down();
  if (auto refusal = group_refusal(code, config_.group)) membership_.refused(*std::move(refusal));
  report(error);
}

// --- Rebalancing ---

void RdConsumer::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t* list, void* opaque) noexcept {
  auto* self = static_cast<RdConsumer*>(static_cast<Callbacks*>(opaque));
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->assign(native::partitions_of(list));
  } else if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    self->revoke(native::partitions_of(list));
  } else {
    self->report(error_from_code(error, "joining the group"));
    rd_kafka_assign(handle, nullptr);
  }
}

// The group orders changes of the assignment. The next one may come before this one is complete
// (the session is lost, a topic grows): neither replaces the other.
void RdConsumer::assign(const std::vector<TopicPartition>& partitions) {
  if (partitions.empty() || closing_) {
    membership_.assigned(reader_.size() + pending_.size());
    return take({});
  }
  const std::uint64_t lookup = pending_.add(partitions);
  membership_.assigned(reader_.size() + pending_.size());
  resolve_starts(lookup);
}

void RdConsumer::resolve_starts(std::uint64_t lookup) {
  requests_.post([this, lookup, partitions = pending_.of(lookup)] {
    if (closing_) return;
    // Moved into the executor by a shared pointer: functions must be copyable.
    auto result = std::make_shared<Result<Starts>>(offsets_->resolve(partitions));
    executor_.post(
        guard_.wrap([this, lookup, result] { finish_assign(lookup, std::move(*result)); }));
    if (!closing_) start_markers_.keep(handle_.get(), executor_.clock().now());
  });
}

void RdConsumer::finish_assign(std::uint64_t lookup, Result<Starts> result) {
  if (closing_ || !handle_) return;
  if (!result.ok()) {
    report(result.error());
    executor_.post_after(kLookupRetry, guard_.wrap([this, lookup] {
      if (!closing_ && !pending_.of(lookup).empty()) resolve_starts(lookup);
    }));
    return;
  }
  const std::vector<TopicPartition> pending = pending_.of(lookup);
  std::set<std::string> recreated;
  Starts starts;
  for (GroupOffsets::Start& start : *result) {
    if (start.recreated) recreated.insert(start.partition.topic);
    const bool revoked =
        std::find(pending.begin(), pending.end(), start.partition) == pending.end();
    if (!revoked) starts.push_back(std::move(start));
  }
  reader_.restart(recreated);  // Their partitions that were assigned before.
  pending_.remove(pending);
  if (starts.empty()) return;
  reader_.add(starts);
  listener_.on_assignment(starts.size());
  events_.assigned(starts.size(), reader_.size());
  take(starts);
  reader_.start();
}

// Completes an assignment of the group, which may be of nothing.
void RdConsumer::take(const Starts& starts) {
  const native::PartitionList list = native::make_partition_list(static_cast<int>(starts.size()));
  for (const GroupOffsets::Start& start : starts) {
    native::fill(rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(),
                                                   start.partition.partition),
                 start.position.offset, start.position.leader_epoch, "");
  }
  const Status status =
      take_error(rd_kafka_incremental_assign(handle_.get(), list.get()), "taking partitions");
  if (!status.ok()) report(status.error());
}

void RdConsumer::revoke(const std::vector<TopicPartition>& partitions) {
  const bool lost = rd_kafka_assignment_lost(handle_.get()) != 0;
  pending_.remove(partitions);  // Not taken yet: only the others are given back.
  const std::vector<TopicPartition> assigned = reader_.stop(partitions);
  if (lost) membership_.lost();
  if (lost && !assigned.empty()) listener_.on_lost(assigned);
  if (lost || closing_ || assigned.empty()) {
    give_back(reader_.drop(assigned));
    if (lost) return explain_loss(assigned);
    return events_.revoked(assigned.size(), reader_.size());
  }
  listener_.on_revoked(assigned, guard_.wrap([this, assigned] {
    if (!handle_ || closing_) return;
    const std::vector<TopicPartition> dropped = reader_.drop(assigned);
    if (dropped.empty()) return;  // They were lost meanwhile.
    give_back(dropped);
    events_.revoked(dropped.size(), reader_.size());
  }));
}

// Completes a revocation of the group, also of partitions that were never taken.
void RdConsumer::give_back(const std::vector<TopicPartition>& partitions) {
  membership_.revoked(reader_.size() + pending_.size());
  const Status status =
      take_error(rd_kafka_incremental_unassign(handle_.get(), native::list_of(partitions).get()),
                 "giving partitions back");
  if (!status.ok()) report(status.error());
}

// The session is lost or the topic deleted; librdkafka does not say which.
void RdConsumer::explain_loss(std::vector<TopicPartition> partitions) {
  events_.lost(partitions.size(), reader_.size());
  if (closing_ || partitions.empty()) return;
  requests_.post([this, partitions = std::move(partitions)] {
    const auto topics = brokers_.request(handle_.get(), closing_);
    const std::string deleted = topics.ok() ? offsets_->deleted(partitions, *topics) : "";
    events_.loss_explained(partitions.size(), deleted);
  });
}

// --- Committing ---

void RdConsumer::commit(std::vector<OffsetCommit> offsets, CommitDone done) {
  if (!handle_ || closing_) {
    done(unavailable("the consumer is closed"), offsets);
    return;
  }
  commits_.send({handle_.get(), group_queue_.get(), &RdConsumer::on_commit}, std::move(offsets),
                std::move(done));
}

// `done` is posted and not called: it may close the consumer, and librdkafka would then wait for
// the very operation that it is serving.
void RdConsumer::on_commit(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* list, void* opaque) noexcept {
  auto* self = static_cast<RdConsumer*>(static_cast<Callbacks*>(rd_kafka_opaque(handle)));
  auto answer = self->commits_.finish(error, list, opaque);
  if (!answer) return;
  if (answer->status.ok()) self->brokers_.on_traffic();
  self->executor_.post(self->guard_.wrap(
      [answer = std::move(*answer)] { answer.done(answer.status, answer.sent); }));
}

// --- Periodic work ---

void RdConsumer::tick() {
  if (!handle_ || closing_) return;
  poll_group();
  reader_.wake_unread();
  if (++ticks_ % kTicksPerProbe == 0 || !brokers_.reachable()) probe();
  executor_.post_after(kTick, guard_.wrap([this] { tick(); }));
}

void RdConsumer::adapt_fetch_size() {
  if (!handle_ || closing_) return;
  const PartitionReader::Load load = reader_.load();
  prefetched_bytes_ = load.queued_bytes;
  const std::uint64_t before = fetch_size_.bytes();
  if (load.known) {
    fetch_size_.observe(fetch_meter_.wire_bytes(), load.taken_bytes + load.queued_bytes,
                        reader_.size());
  }
  if (fetch_size_.bytes() != before) {
    set_fetch_bytes(handle_.get(), fetch_size_.bytes());
    events_.fetch_size_changed(before, fetch_size_.bytes(), fetch_size_.ratio());
  }
  executor_.post_after(kFetchCheck, guard_.wrap([this] { adapt_fetch_size(); }));
}

// Requests metadata, and the watermarks of partitions that are not being read (librdkafka learns
// them with each fetch only).
void RdConsumer::probe() {
  if (probing_) return;
  probing_ = true;
  requests_.post([this, unfetched = reader_.unfetched()] {
    if (closing_) return;
    const Result<bool> changed = credentials_.refresh(handle_.get());
    if (!changed.ok()) last_error_.note(changed.error());
    events_.credentials_read(changed);
    std::set<std::string> recreated;
    std::map<TopicPartition, Watermarks> watermarks;
    if (const auto topics = brokers_.request(handle_.get(), closing_); topics.ok()) {
      last_error_.clear();
      recreated = offsets_->observe(*topics);
      start_markers_.keep(handle_.get(), executor_.clock().now());
      watermarks = native::list_watermarks(
          handle_.get(), unfetched, config_.isolation == ConsumerConfig::Isolation::kReadCommitted,
          closing_);
    }
    executor_.post(guard_.wrap([this, recreated, watermarks = std::move(watermarks)] {
      probing_ = false;
      for (const auto& [partition, marks] : watermarks) reader_.set_watermarks(partition, marks);
      reader_.restart(recreated);
    }));
  });
}

void RdConsumer::shut() {
  if (!handle_) return;
  closing_ = true;
  requests_.stop();
  rd_kafka_queue_cb_event_enable(group_queue_.get(), nullptr, nullptr);
  // A rebalance in progress is completed first; closing would wait for it.
  if (pending_.size() > 0) take({});
  if (const auto stopped = reader_.stopped(); !stopped.empty()) give_back(reader_.drop(stopped));
  reader_.close();
  offsets_.reset();
  group_queue_.reset();
  rd_kafka_consumer_close(handle_.get());
  commits_.drop_all();
  handle_.reset();
  guard_.reset();
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
