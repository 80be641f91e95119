#include "services/lib/kafka/producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/last_error.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/produce_admission.h"
#include "services/lib/kafka/queries.h"
#include "services/lib/kafka/sasl_password.h"

namespace spanway::kafka {
namespace {

constexpr int kPollWaitMs = 1000;  // Reports and stop() wake the poll at once.
// Reports come one for each partition and request. They are gathered for as long as this, so that
// a busy producer wakes a few hundred times a second and not a few thousand.
constexpr Duration kReportGathering = std::chrono::milliseconds(2);
constexpr std::size_t kHeadersMax = 10;                  // Of one record.
constexpr std::size_t kRecordOverheadBytes = 64u << 10;  // Key, headers, framing.
// A broker's restart must not look like an outage.
constexpr Duration kDownGrace = std::chrono::seconds(2);
constexpr Duration kMetadataRetry = std::chrono::milliseconds(500);
constexpr Duration kPurgeWait = std::chrono::seconds(5);

// What is known about one topic's partitions. `error` is an rd_kafka_resp_err_t.
struct TopicState {
  std::atomic<std::int32_t> partitions{0};
  std::atomic<int> error{RD_KAFKA_RESP_ERR_NO_ERROR};
};

class RdProducer;

// A record between produce() and its report; owned by librdkafka's opaque pointer meanwhile.
struct Pending {
  RdProducer* producer;
  Producer::Report report;
  Bytes payload;
  SteadyTime since;
  std::size_t charge;  // What admission has reserved for it.
  // As handed over: a record that fails before it has reached its partition is reported without.
  std::string topic;
  std::int32_t partition;
};

// A request that probes failing partitions: what is kept back until they have confirmed.
struct Probe {
  std::string topic;
  std::vector<std::pair<std::size_t, Record>> kept;  // With the place in the request.
  Producer::RequestReport report;

  Mutex mutex;
  std::size_t outstanding SPANWAY_GUARDED_BY(mutex) = 0;
  std::optional<Error> failure SPANWAY_GUARDED_BY(mutex);
};

// What a record costs besides its payload, here and in librdkafka.
constexpr std::size_t kRecordCost = 256;

// Headers come from our own code, never from a client: too many are its mistake and say nothing
// about the data, so the error is not of kind data.
Status check_headers(const Record& record) {
  if (record.headers.size() <= kHeadersMax) return ok_status();
  count_bug("kafka_record_headers");
  return unknown_error(Code::kInternal, "a record for topic " + std::string(record.topic) +
                                            " carries " + std::to_string(record.headers.size()) +
                                            " headers, at most " + std::to_string(kHeadersMax) +
                                            " are supported; report this as a bug");
}

std::size_t charge_of(const Record& record) {
  return record.payload.size() + record.key.size() + kRecordCost;
}

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
        password_(client_.sasl) {}
  ~RdProducer() override { stop(); }

  Status start();
  void produce(Record record, Report report) noexcept override;
  Status produce_all(std::vector<Record> records, RequestReport report) noexcept override;
  Result<std::int32_t> partition_count(std::string_view topic) override;
  bool connected_once() const noexcept override { return connected_once_; }
  bool reachable() const noexcept override;
  std::string last_error() const override { return last_error_.message(); }
  std::size_t queue_bytes() const noexcept override { return queue_bytes_; }
  bool drain(Deadline deadline) override;

 private:
  using SharedHandle = std::shared_ptr<rd_kafka_s>;

  static ProduceAdmission::Limits admission_limits(const ClientConfig& client,
                                                   const ProducerConfig& config);
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
  void on_probed(const std::shared_ptr<Probe>& probe, Status status);
  void finish(std::unique_ptr<Pending> pending, Status status) noexcept;
  void mark_up() noexcept;
  void poll_loop(const std::stop_token& stop);
  void rebuild(const std::stop_token& stop);
  void retire(SharedHandle old);
  void metadata_loop(const std::stop_token& stop);
  bool refresh_all(const std::stop_token& stop);
  bool refresh(rd_kafka_t* native, const std::string& topic, TopicState& state,
               const std::stop_token& stop, bool& answered);
  void stop();

  const ClientConfig client_;
  const ProducerConfig config_;
  const Clock& clock_;
  ProducerEvents events_;
  ProduceAdmission admission_;

  std::atomic<bool> connected_once_{false};
  std::atomic<bool> fatal_{false};
  // When the last broker went away; 0 while one is up.
  std::atomic<Duration::rep> down_since_{0};
  std::atomic<std::size_t> queue_bytes_{0};

  mutable Mutex mutex_;
  CondVar changed_;
  SharedHandle handle_ SPANWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<TopicState>, std::less<>> topics_
      SPANWAY_GUARDED_BY(mutex_);
  std::size_t outstanding_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool refresh_wanted_ SPANWAY_GUARDED_BY(mutex_) = false;
  // librdkafka remembers that a topic was refused until it hears of it again: it is asked soon.
  bool topic_refused_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::string fatal_cause_ SPANWAY_GUARDED_BY(mutex_);
  LastError last_error_;
  native::SaslPassword password_;  // Used on metadata_thread_ only.
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
  constexpr std::array<const char*, 5> kCodecs = {"none", "gzip", "snappy", "lz4", "zstd"};
  const auto milliseconds = [](Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  native::Conf conf;
  native::apply_client(conf, client_, *this);
  conf.set("enable.idempotence", "true");
  conf.set("acks", "all");
  conf.set("max.in.flight.requests.per.connection", 5);
  conf.set("linger.ms", milliseconds(config_.linger));
  conf.set("message.timeout.ms", milliseconds(config_.message_timeout));
  // The bounds are ours (admission_): librdkafka's would be met in the midst of a request.
  conf.set("queue.buffering.max.kbytes", std::numeric_limits<std::int32_t>::max());
  // A look-up must not make a topic, whatever the brokers allow: with their defaults it would lie
  // there with too few partitions and copies.
  conf.set("allow.auto.create.topics", "false");
  conf.set("message.max.bytes",
           static_cast<std::int64_t>(config_.record_bytes_max.bytes + kRecordOverheadBytes));
  conf.set("compression.type", kCodecs[static_cast<std::size_t>(config_.compression)]);
  conf.set("delivery.report.only.error", "false");
  rd_kafka_conf_set_dr_msg_cb(conf.raw(), &RdProducer::on_delivery);
  rd_kafka_conf_set_throttle_cb(conf.raw(), &RdProducer::on_throttle);
  native::apply_raw(conf, client_, native::Role::kProducer);
  conf.set("queue.buffering.max.messages", 0);  // The raw setting is taken by admission_limits().
  SPANWAY_ASSIGN(native::Handle created, native::create_handle(conf, native::Role::kProducer));
  return SharedHandle(std::move(created));
}

ProduceAdmission::Limits RdProducer::admission_limits(const ClientConfig& client,
                                                      const ProducerConfig& config) {
  ProduceAdmission::Limits limits;
  limits.bytes_max = static_cast<std::size_t>(config.queue_bytes_max.bytes);
  const auto raw = client.librdkafka.find("queue.buffering.max.messages");
  if (raw != client.librdkafka.end()) {
    std::size_t records = 0;
    const std::string& text = raw->second;
    std::from_chars(text.data(), text.data() + text.size(), records);
    if (records > 0) limits.records_max = records;
  }
  return limits;
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
  std::map<std::int32_t, ProduceAdmission::Part> parts;
  for (const Record& record : records) {
    SPANWAY_TRY(check_headers(record));
    ProduceAdmission::Part& part =
        parts.try_emplace(record.partition, ProduceAdmission::Part{record.partition, 0, 0})
            .first->second;
    part.bytes += charge_of(record);
    ++part.records;
  }
  std::vector<ProduceAdmission::Part> list;
  for (const auto& [partition, part] : parts) list.push_back(part);
  SPANWAY_ASSIGN(const std::vector<std::int32_t> probes,
                 admission_.admit(topic, list, clock_.now()));
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
// out of reach, the repeated requests of its clients leave nothing behind in other partitions.
void RdProducer::produce_probing(std::vector<Record> records,
                                 const std::vector<std::int32_t>& probes, RequestReport report) {
  auto probe = std::make_shared<Probe>();
  probe->topic = records.front().topic;
  probe->report = std::move(report);
  std::vector<std::pair<std::size_t, Record>> first;
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].topic = probe->topic;
    const bool probing =
        std::find(probes.begin(), probes.end(), records[i].partition) != probes.end();
    (probing ? first : probe->kept).emplace_back(i, std::move(records[i]));
  }
  {
    MutexLock lock(mutex_);
    outstanding_ += probe->kept.size();
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

void RdProducer::on_probed(const std::shared_ptr<Probe>& probe, Status status) {
  std::optional<Error> failure;
  {
    MutexLock lock(probe->mutex);
    if (!status.ok()) probe->failure = std::move(status).error();
    if (--probe->outstanding > 0) return;
    failure = std::move(probe->failure);
  }
  const std::size_t count = probe->kept.size();
  for (auto& [place, record] : probe->kept) {
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
  probe->kept.clear();
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
  std::array<rd_kafka_vu_t, 5 + kHeadersMax> arguments{};
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments[count].vtype = type;
    return arguments[count++];
  };
  add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
  add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition;
  // No F_COPY, no F_FREE: the bytes stay ours until the report.
  add(RD_KAFKA_VTYPE_VALUE).u.mem = {pending->payload.data(), pending->payload.size()};
  if (!record.key.empty()) {
    add(RD_KAFKA_VTYPE_KEY).u.mem = {record.key.data(), record.key.size()};
  }
  for (const auto& [name, value] : record.headers) {
    add(RD_KAFKA_VTYPE_HEADER).u.header = {name.c_str(), value.data(),
                                           static_cast<ssize_t>(value.size())};
  }
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = pending.get();
  rd_kafka_error_t* error = rd_kafka_produceva(native.get(), arguments.data(), count);
  if (error == nullptr) {
    static_cast<void>(pending.release());  // on_delivery adopts it.
    return;
  }
  const int code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  Error failure = error_from_code(code, "writing to topic " + topic);
  finish(std::move(pending), std::move(failure));
}

void RdProducer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) noexcept {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(message->_private));
  RdProducer& self = *pending->producer;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self.mark_up();
    self.events_.delivered(pending->payload.size(), self.clock_.now() - pending->since);
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
    refresh_wanted_ = true;
    changed_.notify_all();
  }
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

Result<std::int32_t> RdProducer::partition_count(std::string_view topic) {
  std::shared_ptr<TopicState> state;
  {
    MutexLock lock(mutex_);
    const auto found = topics_.find(topic);
    if (found != topics_.end()) {
      state = found->second;
    } else {
      state = topics_.emplace(topic, std::make_shared<TopicState>()).first->second;
      refresh_wanted_ = true;
      changed_.notify_all();
    }
  }
  const std::int32_t partitions = state->partitions;
  if (partitions > 0) return partitions;
  const std::string what = "looking up topic " + std::string(topic);
  const int error = state->error;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_from_code(error, what);
  return unavailable(what + ": no broker has answered yet")
      .with_reason("kafka_unreachable")
      .with_retry_after(std::chrono::seconds(1));
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
  }
}

// Idempotence has lost its thread: this handle will never write again. What it has not confirmed
// is refused as transient; the clients send it again through the new one.
void RdProducer::rebuild(const std::stop_token& stop) {
  SharedHandle old;
  std::string cause;
  {
    MutexLock lock(mutex_);
    old = std::exchange(handle_, nullptr);
    cause = fatal_cause_;
  }
  events_.rebuilt(cause);
  retire(std::move(old));
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

// Every record of `old` is reported before the handle goes: librdkafka forgets them otherwise.
void RdProducer::retire(SharedHandle old) {
  if (!old) return;
  const Deadline deadline = Deadline::after(clock_, kPurgeWait);
  while (rd_kafka_outq_len(old.get()) > 0 && !deadline.passed(clock_.now())) {
    rd_kafka_purge(old.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(old.get(), 10);
  }
  if (rd_kafka_outq_len(old.get()) > 0) count_bug("kafka_producer_unreported_records");
}

void RdProducer::metadata_loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const bool complete = refresh_all(stop);
    MutexLock lock(mutex_);
    const auto wanted = [&]() SPANWAY_REQUIRES(mutex_) {
      return stop.stop_requested() || std::exchange(refresh_wanted_, false);
    };
    if (changed_.wait_for(mutex_, kMetadataRetry, wanted) || !complete) continue;
    changed_.wait_for(mutex_, config_.partition_refresh, [&]() SPANWAY_REQUIRES(mutex_) {
      return wanted() || std::exchange(topic_refused_, false);
    });
  }
}

bool RdProducer::refresh_all(const std::stop_token& stop) {
  std::map<std::string, std::shared_ptr<TopicState>, std::less<>> topics;
  SharedHandle native;
  {
    MutexLock lock(mutex_);
    topics = topics_;
    native = handle_;
  }
  if (!native) return false;
  if (const Result<bool> changed = password_.refresh(native.get()); !changed.ok()) {
    last_error_.note(changed.error());
    has_error_ = true;
    events_.client_error(changed.error());
  }
  bool complete = true;
  bool answered = false;
  for (const auto& [name, state] : topics) {
    if (stop.stop_requested()) return false;
    complete = refresh(native.get(), name, *state, stop, answered) && complete;
  }
  // Not before all have been asked for: who is ready can write to each of them.
  if (answered) connected_once_ = true;
  return complete;
}

bool RdProducer::refresh(rd_kafka_t* native, const std::string& topic, TopicState& state,
                         const std::stop_token& stop, bool& answered) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(native, topic.c_str(), nullptr);
  if (handle == nullptr) return false;
  native::Metadata metadata;
  const int error = native::fetch_metadata(
      native, handle, [&stop] { return stop.stop_requested(); }, metadata);
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // The last known count stays: it is right until somebody grows the topic.
    if (error != RD_KAFKA_RESP_ERR__TRANSPORT && error != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      state.error = error;
    }
    return false;
  }
  mark_up();
  answered = true;
  bool known = false;
  if (metadata->topic_cnt == 1) {
    const rd_kafka_metadata_topic_t& found = metadata->topics[0];
    const bool gone = found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                      found.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    known = found.partition_cnt > 0;
    state.error = found.err;
    if (known || gone) state.partitions = found.partition_cnt;
  }
  return known;
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
  if (native) {
    const native::Queue reports(rd_kafka_queue_get_main(native.get()));
    rd_kafka_queue_yield(reports.get());
  }
  if (metadata_thread_.joinable()) metadata_thread_.join();
  if (poll_thread_.joinable()) poll_thread_.join();
  retire(std::move(native));
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
