#include "services/lib/kafka/producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"
#include "services/lib/kafka/client_credentials.h"
#include "services/lib/kafka/clock_watch.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/handle_retirement.h"
#include "services/lib/kafka/last_error.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/produce_admission.h"
#include "services/lib/kafka/produce_probe.h"
#include "services/lib/kafka/produce_record.h"
#include "services/lib/kafka/producer_options.h"
#include "services/lib/kafka/topic_metadata.h"

namespace spanway::kafka {
namespace {

constexpr int kPollWaitMs = 1000;  // Reports and stop() wake the poll at once.
// Reports come one for each partition and request. They are gathered for this long, so that a busy
// producer wakes a few hundred times a second and not a few thousand.
constexpr Duration kReportGathering = std::chrono::milliseconds(2);
// The restart of a broker is not reported as an outage.
constexpr Duration kDownGrace = std::chrono::seconds(2);
constexpr Duration kMetadataRetry = std::chrono::milliseconds(500);
// A replaced handle gets this long beyond message_timeout to report its records.
constexpr Duration kReplaceSlack = std::chrono::seconds(2);

class RdProducer;

// A record between produce() and its report; owned by librdkafka's opaque pointer meanwhile.
struct Pending {
  RdProducer* producer;
  Producer::Report report;
  Bytes payload;
  SteadyTime since;
  std::size_t charge;  // The bytes that admission has reserved for it.
  // librdkafka reports a record that fails before it reaches its partition without these.
  std::string topic;
  std::int32_t partition;
};

class RdProducer final : public Producer, private native::Callbacks {
 public:
  RdProducer(ClientConfig client, ProducerConfig config, const Clock& clock,
             telemetry::Telemetry telemetry)
      : Callbacks(telemetry.log),
        client_(std::move(client)),
        config_(config),
        clock_(clock),
        events_(telemetry),
        admission_(admission_limits(client_, config_)),
        topics_(events_, [this] { request_refresh(); }),
        credentials_(client_) {}
  ~RdProducer() override { stop(); }

  Status start();
  void produce(Record record, Report report) noexcept override;
  Status produce_all(std::vector<Record> records, RequestReport report) noexcept override;
  Result<std::int32_t> partition_count(std::string_view topic) override {
    return topics_.partition_count(topic);
  }
  bool connected_once() const noexcept override { return connected_once_; }
  bool reachable() const noexcept override;
  std::string last_error() const override { return last_error_.message(); }
  std::size_t queue_bytes() const noexcept override { return queue_bytes_; }
  Duration clock_difference() const noexcept override { return clock_watch_.difference(); }
  void limit_batches(std::size_t bytes) noexcept override;
  bool drain(Deadline deadline) override;

 private:
  using SharedHandle = std::shared_ptr<rd_kafka_s>;

  Result<SharedHandle> create_native();
  SharedHandle handle() const {
    MutexLock lock(mutex_);
    return handle_;
  }
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) noexcept;
  void on_error(int code, const std::string& text, bool fatal) noexcept override;
  static void on_throttle(rd_kafka_t*, const char*, std::int32_t, int milliseconds,
                          void* opaque) noexcept;
  void hand_over(Record record, Report report) noexcept;
  void produce_probing(std::vector<Record> records, const std::vector<std::int32_t>& probes,
                       RequestReport report);
  void on_probed(const std::shared_ptr<ProduceProbe>& probe, Status status);
  void finish(std::unique_ptr<Pending> pending, Status status) noexcept;
  void mark_up() noexcept;
  void poll_loop(const std::stop_token& stop);
  void rebuild(const std::stop_token& stop);
  void replace(const std::stop_token& stop);
  void metadata_loop(const std::stop_token& stop);
  bool refresh_topics(const std::stop_token& stop);
  void request_refresh();
  void stop();

  const ClientConfig client_;
  const ProducerConfig config_;
  const Clock& clock_;
  ProducerEvents events_;
  ProduceAdmission admission_;
  TopicMetadata topics_;

  std::atomic<bool> connected_once_{false};
  std::atomic<bool> fatal_{false};
  std::atomic<std::size_t> batch_bytes_max_{native::kBatchBytes};
  std::atomic<bool> replace_{false};  // The handle has other limits.
  ClockWatch clock_watch_;
  // When the last broker went away; 0 while one is up.
  std::atomic<Duration::rep> down_since_{0};
  std::atomic<std::size_t> queue_bytes_{0};

  mutable Mutex mutex_;
  CondVar changed_;
  SharedHandle handle_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t outstanding_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool refresh_requested_ SPANWAY_GUARDED_BY(mutex_) = false;
  // librdkafka caches that a topic was refused until the next metadata: that is requested soon.
  bool topic_refused_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::string fatal_cause_ SPANWAY_GUARDED_BY(mutex_);
  LastError last_error_;
  native::ClientCredentials credentials_;  // Used on metadata_thread_ only.
  std::atomic<bool> has_error_{false};

  std::jthread metadata_thread_;
  std::jthread poll_thread_;
};

Status RdProducer::start() {
  SPANWAY_ASSIGN(SharedHandle created, create_native());
  {
    MutexLock lock(mutex_);
    handle_ = std::move(created);
  }
  events_.reachable(false);
  poll_thread_ =
      start_thread("kafka-produce", [this](const std::stop_token& stop) { poll_loop(stop); });
  metadata_thread_ =
      start_thread("kafka-metadata", [this](const std::stop_token& stop) { metadata_loop(stop); });
  return ok_status();
}

Result<RdProducer::SharedHandle> RdProducer::create_native() {
  native::Conf conf;
  native::apply_client(conf, client_, *this);
  native::apply_producer(conf, config_, batch_bytes_max_);
  rd_kafka_conf_set_dr_msg_cb(conf.raw(), &RdProducer::on_delivery);
  rd_kafka_conf_set_throttle_cb(conf.raw(), &RdProducer::on_throttle);
  native::apply_raw(conf, client_, native::Role::kProducer);
  conf.set("queue.buffering.max.messages",
           0);  // The raw setting is taken by admission_limits().
  SPANWAY_ASSIGN(auto created, native::create_handle(conf, client_, native::Role::kProducer));
  return SharedHandle(std::move(created));
}

void RdProducer::produce(Record record, Report report) noexcept {
  const std::string topic(record.topic);
  const ProduceAdmission::Part part{record.partition, charge_of(record), 1};
  Status admitted = check_headers(record);
  if (admitted.ok()) admitted = admission_.admit_record(topic, part, clock_.now());
  if (!admitted.ok()) {
    events_.failed(admitted.error());
    report(std::move(admitted));
    return;
  }
  hand_over(std::move(record), std::move(report));
}

Status RdProducer::produce_all(std::vector<Record> records, RequestReport report) noexcept {
  if (records.empty()) return ok_status();
  const std::string_view topic = records.front().topic;
  for (const Record& record : records) SPANWAY_TRY(check_headers(record));
  const std::vector<ProduceAdmission::Part> parts = parts_of(records);
  const Result<std::vector<std::int32_t>> admitted = admission_.admit(topic, parts, clock_.now());
  if (!admitted.ok()) {
    events_.request_refused(topic, records.size(), admitted.error());
    return admitted.error();
  }
  const std::vector<std::int32_t>& probes = *admitted;
  if (probes.empty() || probes.size() == parts.size()) {
    const auto shared = std::make_shared<RequestReport>(std::move(report));
    for (std::size_t i = 0; i < records.size(); ++i) {
      hand_over(std::move(records[i]),
                [shared, i](Status status) { (*shared)(i, std::move(status)); });
    }
  } else {
    produce_probing(std::move(records), probes, std::move(report));
  }
  return ok_status();
}

// The records for failing partitions first, the others once these are confirmed: while a leader is
// unreachable, the retried requests of its clients write nothing to other partitions.
void RdProducer::produce_probing(std::vector<Record> records,
                                 const std::vector<std::int32_t>& probes, RequestReport report) {
  auto probe = std::make_shared<ProduceProbe>();
  probe->topic = records.front().topic;
  probe->report = std::move(report);
  std::vector<std::pair<std::size_t, Record>> first;
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].topic = probe->topic;
    const bool probing =
        std::find(probes.begin(), probes.end(), records[i].partition) != probes.end();
    (probing ? first : probe->waiting).emplace_back(i, std::move(records[i]));
  }
  events_.probing(probe->topic, probes, probe->waiting.size());
  {
    MutexLock lock(mutex_);
    outstanding_ += probe->waiting.size();
  }
  {
    MutexLock lock(probe->mutex);
    probe->outstanding = first.size();
  }
  for (auto& [place, record] : first) {
    hand_over(std::move(record), [this, probe, i = place](Status status) {
      probe->report(i, status);
      on_probed(probe, std::move(status));
    });
  }
}

void RdProducer::on_probed(const std::shared_ptr<ProduceProbe>& probe, Status status) {
  std::optional<Error> failure;
  {
    MutexLock lock(probe->mutex);
    if (!status.ok()) probe->failure = std::move(status).error();
    if (--probe->outstanding > 0) return;
    failure = std::move(probe->failure);
  }
  const std::size_t count = probe->waiting.size();
  events_.probed(probe->topic, count, failure ? &*failure : nullptr);
  for (auto& [place, record] : probe->waiting) {
    const ProduceAdmission::Part part{record.partition, charge_of(record), 1};
    if (failure) {
      admission_.on_dropped(part.bytes);
      events_.failed(*failure);
      probe->report(place, *failure);
      continue;
    }
    admission_.on_handed_over(probe->topic, part, clock_.now());
    hand_over(std::move(record),
              [probe, i = place](Status reported) { probe->report(i, std::move(reported)); });
  }
  probe->waiting.clear();
  MutexLock lock(mutex_);
  outstanding_ -= count;
  if (outstanding_ == 0) changed_.notify_all();
}

// The record is admitted. Leads to exactly one report.
void RdProducer::hand_over(Record record, Report report) noexcept {
  const std::size_t charge = charge_of(record);
  auto pending = std::make_unique<Pending>(Pending{this, std::move(report),
                                                   std::move(record.payload), clock_.now(), charge,
                                                   std::string(record.topic), record.partition});
  SharedHandle native;
  {
    MutexLock lock(mutex_);
    ++outstanding_;
    if (!stopping_) native = handle_;
  }
  events_.queued(queue_bytes_ += pending->payload.size());
  const std::string& topic = pending->topic;
  if (!native) {
    finish(std::move(pending), unavailable("the producer is not ready")
                                   .with_reason("kafka_producer_rebuilt")
                                   .with_retry_after(std::chrono::seconds(1)));
    return;
  }
  const int code = native::produce(native.get(), topic, record, pending->payload, pending.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    static_cast<void>(pending.release());  // on_delivery adopts it.
    return;
  }
  Error failure = error_from_code(code, "writing to topic " + topic);
  finish(std::move(pending), std::move(failure));
}

void RdProducer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) noexcept {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(message->_private));
  RdProducer& self = *pending->producer;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self.mark_up();
    const Duration took = self.clock_.now() - pending->since;
    self.events_.delivered(pending->payload.size(), took);
    if (self.clock_watch_.on_confirmed(message, took, self.clock_.system_now())) {
      self.events_.clock_compared(self.clock_watch_.difference());
    }
    self.finish(std::move(pending), ok_status());
    return;
  }
  Error failure = error_from_code(message->err, "writing to topic " + pending->topic);
  self.finish(std::move(pending), std::move(failure));
}

void RdProducer::on_throttle(rd_kafka_t*, const char*, std::int32_t, int milliseconds,
                             void* opaque) noexcept {
  auto& self = static_cast<RdProducer&>(*static_cast<native::Callbacks*>(opaque));
  if (milliseconds > 0) {
    self.events_.throttled(std::chrono::milliseconds(milliseconds));
    self.admission_.on_throttled(std::chrono::milliseconds(milliseconds), self.clock_.now());
  }
}

void RdProducer::finish(std::unique_ptr<Pending> pending, Status status) noexcept {
  if (!status.ok()) events_.failed(status.error());
  const bool refused = !status.ok() && status.error().refusal == Refusal::kConfiguration;
  events_.queued(queue_bytes_ -= pending->payload.size());
  admission_.on_report(pending->topic, pending->partition, pending->charge, pending->since,
                       status.ok() ? nullptr : &status.error(), clock_.now());
  pending->report(std::move(status));
  pending.reset();
  MutexLock lock(mutex_);
  if (refused && !std::exchange(topic_refused_, true)) changed_.notify_all();
  if (--outstanding_ == 0) changed_.notify_all();
}

void RdProducer::on_error(int code, const std::string& text, bool fatal) noexcept {
  if (fatal) {
    MutexLock lock(mutex_);
    fatal_cause_ = text;
    fatal_ = true;
    return;
  }
  Duration::rep up = 0;
  const bool down =
      code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
      down_since_.compare_exchange_strong(up, clock_.now().time_since_epoch().count());
  Error error = error_from_code(code, text);
  events_.client_error(error);
  if (down) events_.reachable(false);
  MutexLock lock(mutex_);
  last_error_.note(error);
  has_error_ = true;
  if (down) {
    refresh_requested_ = true;
    changed_.notify_all();
  }
}

void RdProducer::request_refresh() {
  MutexLock lock(mutex_);
  refresh_requested_ = true;
  changed_.notify_all();
}

void RdProducer::mark_up() noexcept {
  if (down_since_.exchange(0) != 0 || !connected_once_) events_.reachable(true);
  if (has_error_.exchange(false)) last_error_.clear();
}

bool RdProducer::reachable() const noexcept {
  const Duration::rep down = down_since_;
  if (down == 0) return connected_once_;
  return connected_once_ && clock_.now().time_since_epoch() - Duration(down) < kDownGrace;
}

bool RdProducer::drain(Deadline deadline) {
  MutexLock lock(mutex_);
  const auto idle = [this]() SPANWAY_REQUIRES(mutex_) { return outstanding_ == 0; };
  if (deadline.is_never()) {
    changed_.wait(mutex_, idle);
    return true;
  }
  return changed_.wait_for(mutex_, deadline.remaining(clock_.now()), idle);
}

void RdProducer::poll_loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const SharedHandle native = handle();
    if (native && rd_kafka_poll(native.get(), kPollWaitMs) > 0) {
      MutexLock lock(mutex_);
      changed_.wait_for(mutex_, kReportGathering, [&stop] { return stop.stop_requested(); });
    }
    if (fatal_.exchange(false)) rebuild(stop);
    if (replace_.exchange(false)) replace(stop);
  }
}

// After a fatal error of idempotence this handle never writes again. Records that it has not
// confirmed are refused as transient; the clients send them again through the new one.
void RdProducer::rebuild(const std::stop_token& stop) {
  SharedHandle old;
  std::string cause;
  {
    MutexLock lock(mutex_);
    old = std::exchange(handle_, nullptr);
    cause = fatal_cause_;
  }
  events_.rebuilt(cause);
  native::retire(std::move(old), clock_);
  while (!stop.stop_requested()) {
    Result<SharedHandle> created = create_native();
    MutexLock lock(mutex_);
    if (created.ok()) {
      handle_ = std::move(created).value();
      return;
    }
    changed_.wait_for(mutex_, kMetadataRetry, [&stop] { return stop.stop_requested(); });
  }
}

void RdProducer::limit_batches(std::size_t bytes) noexcept {
  bytes = native::batch_bytes_for(bytes);
  if (batch_bytes_max_.exchange(bytes) == bytes) return;
  replace_ = true;
  if (const SharedHandle native = handle()) native::wake_poll(native.get());
}

// librdkafka takes the size of batches at creation only. Requests go through the new handle at
// once; records of the old one are confirmed first.
void RdProducer::replace(const std::stop_token& stop) {
  Result<SharedHandle> created = create_native();
  if (!created.ok()) return events_.client_error(created.error());
  SharedHandle old = std::move(created).value();
  {
    MutexLock lock(mutex_);
    std::swap(handle_, old);
  }
  native::retire(std::move(old), clock_, config_.message_timeout + kReplaceSlack,
                 [&stop] { return stop.stop_requested(); });
}

void RdProducer::metadata_loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const bool complete = refresh_topics(stop);
    MutexLock lock(mutex_);
    const auto requested = [&]() SPANWAY_REQUIRES(mutex_) {
      return stop.stop_requested() || std::exchange(refresh_requested_, false);
    };
    if (changed_.wait_for(mutex_, kMetadataRetry, requested) || !complete) continue;
    changed_.wait_for(mutex_, config_.partition_refresh, [&]() SPANWAY_REQUIRES(mutex_) {
      return requested() || std::exchange(topic_refused_, false);
    });
  }
}

// True when every topic has partitions.
bool RdProducer::refresh_topics(const std::stop_token& stop) {
  const SharedHandle native = handle();
  if (!native) return false;
  const Result<bool> changed = credentials_.refresh(native.get());
  if (!changed.ok()) {
    last_error_.note(changed.error());
    has_error_ = true;
  }
  events_.credentials_read(changed);
  const TopicMetadata::Refreshed refreshed =
      topics_.refresh(native.get(), [&stop] { return stop.stop_requested(); });
  if (refreshed.answered) {
    mark_up();
    // Not before every topic has been requested: a ready producer can write to each of them.
    connected_once_ = true;
  }
  return refreshed.complete;
}

void RdProducer::stop() {
  poll_thread_.request_stop();
  metadata_thread_.request_stop();
  SharedHandle native;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    native = handle_;
    changed_.notify_all();
  }
  if (native) native::wake_poll(native.get());
  if (metadata_thread_.joinable()) metadata_thread_.join();
  if (poll_thread_.joinable()) poll_thread_.join();
  native::retire(std::move(native), clock_);
  MutexLock lock(mutex_);
  handle_ = nullptr;
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::create(const ClientConfig& client,
                                                   const ProducerConfig& config, const Clock& clock,
                                                   telemetry::Telemetry telemetry) {
  auto producer = std::make_unique<RdProducer>(client, config, clock, telemetry);
  SPANWAY_TRY(producer->start());
  return std::unique_ptr<Producer>(std::move(producer));
}

}  // namespace spanway::kafka
