#include "services/kafka-bridge/produce/kafka_sink.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "services/kafka-bridge/signal_topics.h"

namespace spanway::kafka_bridge {
namespace {

constexpr auto kRetrySoon = std::chrono::seconds(1);
// An operator has to change something first.
constexpr auto kRetryLater = std::chrono::seconds(5);
// Deadlines this close behind the producer's own need no watching here.
constexpr Duration kReportSlack = std::chrono::milliseconds(500);

// Bytes of a record besides its payload, here and in librdkafka: it counts where each trace is
// one.
constexpr std::size_t kRecordBytes = 768;

// Framing, key and headers of a record and its batch, within max.message.bytes.
constexpr std::uint64_t kFramingBytes = 1024;

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> counter{0};
  return ++counter;
}

// The client's view of a failure of ours.
Error answer_for(Error error) {
  const bool transient = error.refusal == Refusal::kTransient;
  Error answer = transient_error(
      Code::kUnavailable, (transient ? "not written to Kafka: " : "Kafka does not take records: ") +
                              std::move(error.message));
  if (std::string_view(error.reason) == "kafka_record_too_large") {
    answer.message +=
        "; raise max.message.bytes of the topic, or lower producer.record_bytes_max to 64 KiB "
        "below it";
  }
  answer.reason = error.reason;
  answer.retry_after = transient ? error.retry_after.value_or(kRetrySoon) : kRetryLater;
  return answer;
}

// Which of two failures to answer with: the one that brings the client back, so that what can be
// written is written.
bool is_better(const Error& candidate, const Error& current) {
  return current.refusal != Refusal::kTransient && candidate.refusal == Refusal::kTransient;
}

// Gives the memory of an unusual request back when the request has been handed over.
class ReleaseExcess {
 public:
  explicit ReleaseExcess(otlp::Scanner& scanner) : scanner_(scanner) {}
  ~ReleaseExcess() { scanner_.release_excess(); }
  ReleaseExcess(const ReleaseExcess&) = delete;
  ReleaseExcess& operator=(const ReleaseExcess&) = delete;

 private:
  otlp::Scanner& scanner_;
};

}  // namespace

// One request between produce() and the last report. Shared by the reports and the timer.
struct KafkaSink::Request {
  Request(KafkaSink& owner, pipeline::Batch& batch, pipeline::AckToken answer,
          pipeline::Outcome result, std::uint64_t accepted)
      : sink(owner),
        signal(batch.signal),
        tenant(std::move(batch.metadata.tenant)),
        permit(std::move(batch.permit)),
        started(owner.timers_.clock().now()),
        items(accepted),
        token(std::move(answer)),
        outcome(std::move(result)) {}

  void on_report(std::uint64_t part_items, Status status) {
    std::optional<Result<pipeline::Outcome>> decision;
    pipeline::AckToken deciding;
    std::uint64_t written = 0;
    {
      MutexLock lock(mutex);
      if (status.ok()) {
        written_items += part_items;
      } else if (!failure || is_better(status.error(), *failure)) {
        failure = std::move(status).error();
      }
      if (--outstanding > 0) return;
      written = written_items;
      if (token.undecided()) {
        deciding = std::move(token);
        if (failure) {
          decision.emplace(answer_for(std::move(*failure)));
        } else {
          decision.emplace(std::move(outcome));
        }
      }
    }
    finish(std::move(deciding), std::move(decision), written);
  }

  void finish(pipeline::AckToken deciding, std::optional<Result<pipeline::Outcome>> decision,
              std::uint64_t written) {
    const bool acknowledged = decision && decision->ok();
    if (acknowledged) {
      sink.events_.written(signal, items, records, sink.timers_.clock().now() - started);
      sink.remember(signal, nullptr);
    } else {
      sink.events_.possible_duplicates(signal, written);
    }
    permit.release();
    deadline_timer.cancel();
    if (decision) {
      if (!acknowledged) {
        sink.events_.refused(decision->error());
        sink.remember(signal, &decision->error());
      }
      deciding.answer(std::move(*decision));
    }
    sink.in_flight_.leave();
  }

  // Undecided unless the deadline has decided it.
  pipeline::AckToken take_token() {
    MutexLock lock(mutex);
    return std::move(token);
  }

  void on_deadline() {
    pipeline::AckToken deciding;
    {
      MutexLock lock(mutex);
      if (!token.undecided()) return;
      deciding = std::move(token);
    }
    Error error = transient_error(Code::kDeadlineExceeded,
                                  "the deadline passed before Kafka had confirmed the request")
                      .with_reason("deadline_exceeded")
                      .with_retry_after(kRetrySoon);
    sink.events_.refused(error);
    deciding.nack(std::move(error));
  }

  KafkaSink& sink;
  const otlp::Signal signal;
  const std::string tenant;
  Permit permit;  // Covers the records until the last report.
  const SteadyTime started;
  const std::uint64_t items;
  std::size_t records = 0;
  std::vector<std::uint64_t> record_items;  // Per record; not changed once they are handed over.
  Timer deadline_timer;

  Mutex mutex;
  pipeline::AckToken token SPANWAY_GUARDED_BY(mutex);
  pipeline::Outcome outcome SPANWAY_GUARDED_BY(mutex);
  std::optional<Error> failure SPANWAY_GUARDED_BY(mutex);
  std::uint64_t written_items SPANWAY_GUARDED_BY(mutex) = 0;
  std::size_t outstanding SPANWAY_GUARDED_BY(mutex) = 0;
};

KafkaSink::KafkaSink(KafkaSinkOptions options, kafka::Producer& producer, Executor& timers,
                     telemetry::Telemetry telemetry)
    : options_(std::move(options)),
      producer_(producer),
      timers_(timers),
      events_(telemetry),
      id_(next_id()) {
  for (std::atomic<std::size_t>& limit : topic_limits_) {
    limit = std::numeric_limits<std::size_t>::max();
  }
  // The query makes the producer fetch the topics' metadata.
  for (const otlp::Signal signal : otlp::kSignals) {
    static_cast<void>(producer_.partition_count(topic_of(options_.topics, signal)));
  }
}

otlp::Scanner& KafkaSink::scanner(otlp::Signal signal, const otlp::ScanLimits& limits) const {
  struct Slot {
    std::uint64_t owner = 0;
    std::size_t item_bytes_max = 0;  // The one limit that changes.
    otlp::Scanner scanner;
  };
  thread_local std::array<Slot, otlp::kSignals.size()> slots;
  Slot& slot = slots[otlp::index_of(signal)];
  if (slot.owner != id_ || slot.item_bytes_max != limits.item_bytes_max) {
    slot = {id_, limits.item_bytes_max, otlp::Scanner(limits)};
  }
  return slot.scanner;
}

std::size_t KafkaSink::record_bytes_max(otlp::Signal signal) const noexcept {
  return std::min(options_.record_bytes_max, topic_limits_[otlp::index_of(signal)].load());
}

void KafkaSink::limit_records(otlp::Signal signal, std::uint64_t message_bytes_max) noexcept {
  topic_limits_[otlp::index_of(signal)] = message_bytes_max > 2 * kFramingBytes
                                              ? message_bytes_max - kFramingBytes
                                              : message_bytes_max / 2;
}

void KafkaSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  events_.received(batch.signal, batch.payload.size());
  if (!in_flight_.enter()) {
    refuse(std::move(token), unavailable("the bridge is stopping; send to another replica")
                                 .with_reason("stopping")
                                 .with_retry_after(kRetrySoon));
    return;
  }
  Status status = try_send(batch, token);
  if (status.ok()) return;
  in_flight_.leave();
  refuse(std::move(token), std::move(status).error());
}

void KafkaSink::refuse(pipeline::AckToken token, Error error) noexcept {
  events_.refused(error);
  token.nack(std::move(error));
}

Result<std::int32_t> KafkaSink::partitions(const std::string& topic) const {
  if (producer_.connected_once() && !producer_.reachable()) {
    const std::string cause = producer_.last_error();
    return unavailable("no broker can be reached" + (cause.empty() ? "" : ": " + cause))
        .with_reason("kafka_unreachable");
  }
  return producer_.partition_count(topic);
}

Status KafkaSink::try_send(pipeline::Batch& batch, pipeline::AckToken& token) {
  const std::string& topic = topic_of(options_.topics, batch.signal);
  if (std::optional<Error> refused = refusal(batch.signal)) {
    Error error = answer_for(std::move(*refused));
    remember(batch.signal, &error);
    return error;
  }
  const Result<std::int32_t> partition_count = partitions(topic);
  if (!partition_count.ok()) {
    Error error = answer_for(partition_count.error());
    remember(batch.signal, &error);
    return error;
  }
  otlp::ScanLimits limits = options_.limits;
  limits.item_bytes_max = std::min(limits.item_bytes_max, record_bytes_max(batch.signal));
  // The ingress of this process may have scanned the same bytes a moment ago.
  const std::shared_ptr<const otlp::Scanned> scanned = std::move(batch.scanned);
  const bool known = scanned && otlp::at_least_as_strict(scanned->limits, limits);
  otlp::Scanner& scan = scanner(batch.signal, limits);
  const ReleaseExcess release(scan);
  Permit index_permit =
      options_.index_memory == nullptr ? Permit() : options_.index_memory->empty_permit();
  if (!known) SPANWAY_TRY(scan.scan(batch.signal, batch.payload.view(), &index_permit));
  const otlp::Index& index = known ? scanned->index : scan.index();
  if (index.rejected > 0 && batch.metadata.all_or_nothing) {
    return invalid_argument(std::to_string(index.rejected) + " " +
                            std::string(otlp::item_name(batch.signal)) +
                            " of a joined request would be rejected; send its parts one by one: " +
                            index.reject_message)
        .with_reason("joined_items_rejected");
  }
  if (index.rejected > 0) events_.rejected(index);
  const std::string topic_limit = topic_limit_text(topic, limits, index);
  const bool keeps = keeps_items(index);
  if (!keeps && index.rejected > 0 && !otlp::holds_only_unread(index)) {
    return invalid_argument("all " + std::to_string(index.rejected) + " " +
                            std::string(otlp::item_name(batch.signal)) +
                            " were rejected: " + index.reject_message + topic_limit)
        .with_reason("all_items_rejected");
  }
  pipeline::Outcome outcome{index.rejected, index.reject_message + topic_limit};
  if (!keeps) {  // A request without items that we know is a success, full or partial.
    token.ack(std::move(outcome));
    in_flight_.leave();
    return ok_status();
  }
  const otlp::SplitOptions split_options{*partition_count, record_bytes_max(batch.signal),
                                         options_.key_by_trace};
  SPANWAY_ASSIGN(std::vector<otlp::Part> parts, divide(batch, index, split_options));
  auto request =
      std::make_shared<Request>(*this, batch, std::move(token), std::move(outcome), index.accepted);
  const SteadyTime now = timers_.clock().now();
  if (batch.deadline.remaining(now) < options_.message_timeout + kReportSlack) {
    request->deadline_timer =
        timers_.post_after(batch.deadline.remaining(now), [request] { request->on_deadline(); });
  }
  Status admitted = produce(request, std::move(parts));
  if (admitted.ok()) return ok_status();
  request->permit.release();
  request->deadline_timer.cancel();
  token = request->take_token();
  if (!token.undecided()) {  // The deadline has passed meanwhile, and was answered.
    in_flight_.leave();
    return ok_status();
  }
  Error error = answer_for(std::move(admitted).error());
  remember(batch.signal, &error);
  return error;
}

// Names the setting that rejected items of a request; empty when it was none of the topic.
std::string KafkaSink::topic_limit_text(const std::string& topic, const otlp::ScanLimits& limits,
                                        const otlp::Index& index) const {
  const auto too_large = static_cast<std::size_t>(otlp::RejectReason::kItemTooLarge);
  if (limits.item_bytes_max == options_.limits.item_bytes_max ||
      index.rejected_by_reason[too_large] == 0) {
    return "";
  }
  return "; max.message.bytes of the topic " + topic + " leaves " +
         std::to_string(limits.item_bytes_max) + " bytes for an item: raise it";
}

Result<std::vector<otlp::Part>> KafkaSink::divide(pipeline::Batch& batch, const otlp::Index& index,
                                                  const otlp::SplitOptions& options) const {
  std::vector<otlp::Part> parts;
  std::int32_t partition = 0;
  // Records keyed by trace need the key, which only dividing finds.
  if (!options.by_trace && otlp::is_single_part(index, batch.payload.view(), options, partition)) {
    otlp::Part& part = parts.emplace_back();
    part.partition = partition;
    part.payload = std::move(batch.payload);
    part.item_count = index.accepted;
    return parts;
  }
  const std::size_t output = otlp::split_bytes(index, batch.payload.view(), options);
  // As many records as there are traces, which only the split counts.
  const std::size_t records = options.by_trace ? index.items.size() * kRecordBytes : 0;
  if (!batch.permit.grow_to(batch.payload.size() + output + records)) {
    return transient_error(Code::kResourceExhausted,
                           "no memory is left to split this request by partition")
        .with_reason("no_memory")
        .with_retry_after(kRetrySoon);
  }
  parts = otlp::split(index, batch.payload.view(), options);
  batch.payload = Bytes();
  batch.permit.shrink_to(output + (options.by_trace ? parts.size() * kRecordBytes : 0));
  return parts;
}

Status KafkaSink::produce(const std::shared_ptr<Request>& request, std::vector<otlp::Part> parts) {
  {
    MutexLock lock(request->mutex);
    request->outstanding = parts.size();
  }
  request->records = parts.size();
  const std::string& topic = topic_of(options_.topics, request->signal);
  std::vector<kafka::Record> records;
  records.reserve(parts.size());
  request->record_items.reserve(parts.size());
  for (otlp::Part& part : parts) {
    kafka::Record& record = records.emplace_back();
    record.topic = topic;
    record.partition = part.partition;
    record.key = part.trace_id_hex;
    record.payload = std::move(part.payload);
    record.headers.emplace_back("content-type", "application/x-protobuf");
    if (!request->tenant.empty()) record.headers.emplace_back("spanway-tenant", request->tenant);
    request->record_items.push_back(part.item_count);
  }
  return producer_.produce_all(std::move(records), [request](std::size_t record, Status status) {
    request->on_report(request->record_items[record], std::move(status));
  });
}

void KafkaSink::refuse_signal(otlp::Signal signal, std::optional<Error> error) {
  const std::size_t i = otlp::index_of(signal);
  MutexLock lock(mutex_);
  has_refusal_[i] = error.has_value();
  refusals_[i] = std::move(error);
}

std::optional<Error> KafkaSink::refusal(otlp::Signal signal) const {
  const std::size_t i = otlp::index_of(signal);
  if (!has_refusal_[i]) return std::nullopt;
  MutexLock lock(mutex_);
  return refusals_[i];
}

void KafkaSink::remember(otlp::Signal signal, const Error* error) {
  const std::size_t i = otlp::index_of(signal);
  if (error == nullptr && !has_error_[i].exchange(false)) return;
  MutexLock lock(mutex_);
  has_error_[i] = error != nullptr;
  last_errors_[i].reset();
  if (error != nullptr) last_errors_[i] = *error;
}

KafkaSink::State KafkaSink::state() const {
  for (const otlp::Signal signal : otlp::kSignals) {
    std::optional<Error> error = refusal(signal);
    if (!error) {
      const Result<std::int32_t> count = partitions(topic_of(options_.topics, signal));
      if (!count.ok()) error = count.error();
    }
    if (!error) {
      MutexLock lock(mutex_);
      error = last_errors_[otlp::index_of(signal)];
    }
    if (error) return {false, std::move(error->message), error->reason};
  }
  return {};
}

pipeline::SinkHealth KafkaSink::health() const {
  pipeline::SinkHealth health;
  health.reachable = producer_.reachable();
  {
    MutexLock lock(mutex_);
    for (const std::optional<Error>& error : last_errors_) {
      if (!error || !health.last_error.empty()) continue;
      health.last_error = error->message;
      health.last_error_reason = error->reason;
    }
  }
  if (health.last_error.empty()) health.last_error = producer_.last_error();
  return health;
}

}  // namespace spanway::kafka_bridge
