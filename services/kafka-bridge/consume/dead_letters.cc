#include "services/kafka-bridge/consume/dead_letters.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/signal_topics.h"

namespace spanway::kafka_bridge {
namespace {

constexpr std::size_t kErrorBytesMax = 1024;
// Smaller parts mean that the headers alone fill a record: the topic cannot hold dead letters.
constexpr std::size_t kPartBytesMin = 256;
constexpr std::size_t kRememberedMax = 10'000;
// Largest share of the budget for one part.
constexpr std::size_t kBudgetShare = 16;
// A topic that was created a moment ago may be unknown to some brokers.
constexpr int kTriesBeforeFallback = 3;
// While a topic is looked up for the first time.
constexpr int kLookUpsMax = 20;
constexpr Duration kLookUpWait = std::chrono::milliseconds(100);
constexpr Duration kTopicRetry = std::chrono::seconds(30);
constexpr std::chrono::milliseconds kMemoryRetry = std::chrono::seconds(1);

bool is_too_large(const Error& error) noexcept {
  return std::string_view(error.reason) == "kafka_record_too_large";
}

std::string advice(const Error& error, const std::string& topic, bool has_fallback) {
  const std::string otherwise = has_fallback ? "" : ", or set consumer.dead_letters.fallback";
  switch (error.code) {
    case Code::kNotFound:
      return "create the topic " + topic + " (spanway-kafka-bridge topics apply)" + otherwise;
    case Code::kPermissionDenied:
      return "allow Write on the topic " + topic + otherwise;
    default:
      break;
  }
  if (is_too_large(error)) return "raise max.message.bytes of the topic " + topic + otherwise;
  return "nothing is committed until it is written" + otherwise;
}

}  // namespace

kafka::ClientConfig dead_letter_client(kafka::ClientConfig client) {
  client.librdkafka["batch.num.messages"] = "1";
  return client;
}

KafkaDeadLetters::KafkaDeadLetters(KafkaDeadLettersOptions options, KafkaDeadLettersDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      events_(deps_.telemetry, options_.destination),
      limits_(options_.record_bytes_assumed, deps_.read_size_limit, deps_.executor.clock()) {
  for (const otlp::Signal signal : otlp::kSignals) {
    topics_[otlp::index_of(signal)] = topic_of(options_.topics, signal) + options_.suffix;
  }
  if (!options_.fallback_file.empty()) {
    file_ = std::make_unique<DeadLetterFile>(options_.fallback_file,
                                             options_.fallback_file_bytes_max, deps_.files);
  }
}

RecordHeaders KafkaDeadLetters::headers_of(const DeadLetter& letter) const {
  RecordHeaders headers = {{"content-type", "application/x-protobuf"},
                           {"spanway-error", letter.error.substr(0, kErrorBytesMax)},
                           {"spanway-origin", letter.origin},
                           {"spanway-attempts", std::to_string(letter.attempts)},
                           {"spanway-destination", options_.destination},
                           {"spanway-group", options_.group}};
  if (!letter.tenant.empty()) headers.emplace_back("spanway-tenant", letter.tenant);
  if (!letter.rejected.empty()) headers.emplace_back("spanway-rejected", letter.rejected);
  return headers;
}

void KafkaDeadLetters::write(DeadLetter letter, std::function<void(Status)> done) {
  auto job = std::make_shared<Job>();
  job->letter = std::move(letter);
  job->done = std::move(done);
  deps_.executor.post([this, job] { begin(job); });
}

bool KafkaDeadLetters::passes_over(const std::string& topic) const {
  const auto found = refusing_.find(topic);
  return has_fallback() && found != refusing_.end() &&
         found->second.times >= kTriesBeforeFallback &&
         deps_.executor.clock().now() < found->second.retry_at;
}

void KafkaDeadLetters::begin(const JobPtr& job) {
  job->headers = headers_of(job->letter);
  job->parts = deps_.budget.empty_permit();
  job->record = deps_.budget.empty_permit();
  job->topic = topics_[otlp::index_of(job->letter.signal)];
  Chunk full;
  full.id = letter_id(job->letter.origin, job->letter.payload.view());
  full.payload = std::move(job->letter.payload);
  job->chunks.push_back(std::move(full));
  if (passes_over(job->topic)) return begin_fallback(job, "its topic takes no dead letters");
  next(job);
}

// A chunk of which the topic has parts is written in full: a reader of the fallback must not need
// them.
void KafkaDeadLetters::begin_fallback(const JobPtr& job, const std::string& why) {
  job->in_fallback = true;
  events_.fell_back(job->letter.signal, job->letter.origin, why);
  if (!options_.fallback_topic.empty()) {
    job->topic = options_.fallback_topic;
    return next(job);
  }
  while (!job->chunks.empty()) {
    const Chunk& chunk = job->chunks.front();
    if (written(*job, chunk) < chunk.payload.size()) {
      Status status = file_->append(job->topic, job->headers, chunk.payload.view());
      if (!status.ok())
        return finish(job, Error(status.error()).with_context("consumer.dead_letters.fallback"));
      remember(*job, chunk, chunk.payload.size());
    }
    job->chunks.pop_front();
  }
  finish(job, ok_status());
}

// One step: the next record, or the end.
void KafkaDeadLetters::next(const JobPtr& job) {
  while (!job->chunks.empty()) {
    const Chunk& front = job->chunks.front();
    if (front.payload.empty() || written(*job, front) < front.payload.size()) break;
    job->remembered.push_back(job->topic + ":" + front.id);
    job->chunks.pop_front();
  }
  if (job->chunks.empty()) return finish(job, ok_status());
  const Result<std::int32_t> partitions = deps_.producer.partition_count(job->topic);
  if (!partitions.ok()) {
    if (partitions.error().refusal != Refusal::kTransient || ++job->look_ups > kLookUpsMax) {
      return fail(job, partitions.error());
    }
    // The first letter for a topic: a broker has not answered yet.
    deps_.executor.post_after(kLookUpWait, [this, job] { next(job); });
    return;
  }

  Chunk& chunk = job->chunks.front();
  const std::size_t size = chunk.payload.size();
  const std::size_t begin = written(*job, chunk);
  RecordHeaders longest = job->headers;
  longest.emplace_back("spanway-letter", chunk.id);
  longest.emplace_back("spanway-part", part_range(size, size + 1, size));
  const std::size_t overhead = record_overhead(longest);
  const std::size_t limit =
      std::min({limits_.of(job->topic, size + overhead), options_.record_bytes_max,
                deps_.budget.limit() / kBudgetShare});
  if (limit < overhead + std::min(size, kPartBytesMin)) {
    return fail(job, invalid_argument("records of " + std::to_string(limit) +
                                      " bytes cannot hold the headers of a dead letter and a part "
                                      "of it")
                         .with_reason("kafka_record_too_large"));
  }
  const std::size_t room = limit - overhead;
  if (begin == 0 && size > room && std::exchange(chunk.undivided, false) && divide(job, room)) {
    return next(job);
  }
  send(job, *partitions, begin, std::min(size, begin + room));
}

// False: the chunk stays, to be divided between bytes.
bool KafkaDeadLetters::divide(const JobPtr& job, std::size_t payload_bytes_max) {
  Permit permit = deps_.budget.empty_permit();
  std::vector<Bytes> parts = divide_between_items(
      job->letter.signal, job->chunks.front().payload.view(), payload_bytes_max, permit);
  if (parts.empty()) return false;
  job->parts.absorb(std::move(permit));
  job->chunks.pop_front();
  for (std::size_t i = parts.size(); i > 0; --i) {
    Chunk chunk;
    chunk.id = letter_id(job->letter.origin, parts[i - 1].view());
    chunk.payload = std::move(parts[i - 1]);
    job->chunks.push_front(std::move(chunk));
  }
  return true;
}

void KafkaDeadLetters::send(const JobPtr& job, std::int32_t partitions, std::size_t begin,
                            std::size_t end) {
  const Chunk& chunk = job->chunks.front();
  if (!job->record.grow_to(end - begin)) {
    return finish(job,
                  transient_error(Code::kResourceExhausted, "no memory for a part of a dead letter")
                      .with_reason("no_memory")
                      .with_retry_after(kMemoryRetry));
  }
  kafka::Record record;
  record.topic = job->topic;
  record.partition = job->letter.partition % partitions;
  record.payload = Bytes(chunk.payload.slice(begin, end - begin));
  record.headers = job->headers;
  if (end - begin < chunk.payload.size()) {
    record.headers.emplace_back("spanway-letter", chunk.id);
    record.headers.emplace_back("spanway-part", part_range(begin, end, chunk.payload.size()));
  }
  const Sent sent{begin, end, record.payload.size() + record_overhead(record.headers)};
  deps_.producer.produce(std::move(record), [this, job, sent](Status status) {
    deps_.executor.post([this, job, sent, answer = std::move(status)]() mutable {
      on_report(job, sent, std::move(answer));
    });
  });
}

void KafkaDeadLetters::on_report(const JobPtr& job, const Sent& sent, Status status) {
  job->record.shrink_to(0);
  const Chunk& chunk = job->chunks.front();
  if (status.ok()) {
    refusing_.erase(job->topic);
    const std::size_t size = chunk.payload.size();
    if (sent.end - sent.begin < size) events_.wrote_part(job->letter.signal);
    if (sent.end == size && job->chunks.size() == 1) return finish(job, ok_status());
    remember(*job, chunk, sent.end);
    return next(job);
  }
  if (is_too_large(status.error())) {
    limits_.refused(job->topic, sent.record_bytes);
    // Smaller than the smallest part: next() would fail, unless the limit was raised meanwhile.
    return next(job);
  }
  fail(job, std::move(status).error());
}

void KafkaDeadLetters::fail(const JobPtr& job, Error error) {
  const bool permanent = error.refusal != Refusal::kTransient;
  if (permanent) {
    Refusing& refusing = refusing_[job->topic];
    ++refusing.times;
    refusing.retry_at = deps_.executor.clock().now() + kTopicRetry;
    const bool hopeless = refusing.times >= kTriesBeforeFallback;
    if (hopeless && has_fallback() && !job->in_fallback) {
      return begin_fallback(job, error.message);
    }
  }
  if (permanent) error.message += "; " + advice(error, job->topic, has_fallback());
  if (job->in_fallback) error = std::move(error).with_context("consumer.dead_letters.fallback");
  finish(job, std::move(error));
}

void KafkaDeadLetters::finish(const JobPtr& job, Status status) {
  if (status.ok()) {
    for (const std::string& key : job->remembered) written_.erase(key);
  }
  job->parts.release();
  job->record.release();
  job->chunks.clear();
  const auto done = std::exchange(job->done, nullptr);
  done(std::move(status));
}

std::size_t KafkaDeadLetters::written(const Job& job, const Chunk& chunk) const {
  const auto found = written_.find(job.topic + ":" + chunk.id);
  return found == written_.end() ? 0 : found->second;
}

void KafkaDeadLetters::remember(Job& job, const Chunk& chunk, std::size_t bytes) {
  const std::string key = job.topic + ":" + chunk.id;
  job.remembered.push_back(key);
  if (!written_.insert_or_assign(key, bytes).second) return;
  written_order_.push_back(key);
  if (written_order_.size() <= kRememberedMax) return;
  written_.erase(written_order_.front());
  written_order_.pop_front();
}

}  // namespace spanway::kafka_bridge
