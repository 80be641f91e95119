#include "services/kafka-bridge/dead_letters.h"

#include <atomic>
#include <utility>
#include <vector>

#include "services/kafka-bridge/signal_topics.h"
#include "services/lib/base/mutex.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"

namespace spanway::kafka_bridge {
namespace {

constexpr std::size_t kErrorBytesMax = 1024;

// Reports of several records as one.
struct Joined {
  Joined(std::size_t count, std::function<void(Status)> function)
      : outstanding(count), done(std::move(function)) {}
  void on_report(Status status) {
    {
      MutexLock lock(mutex);
      if (!status.ok()) worst = std::move(status);
      if (--outstanding > 0) return;
    }
    done(std::move(worst));
  }
  Mutex mutex;
  std::size_t outstanding;
  Status worst;
  std::function<void(Status)> done;
};

std::vector<Bytes> split_letter(DeadLetter& letter, std::size_t bytes_max) {
  std::vector<Bytes> payloads;
  if (letter.payload.size() > bytes_max) {
    otlp::Scanner scanner;
    const Status status = scanner.scan(letter.signal, letter.payload.view());
    if (status.ok() && scanner.index().rejected == 0) {
      const otlp::SplitOptions options{1, bytes_max, false};
      for (otlp::Part& part : otlp::split(scanner.index(), letter.payload.view(), options)) {
        payloads.push_back(std::move(part.payload));
      }
    }
  }
  if (payloads.empty()) payloads.push_back(std::move(letter.payload));
  return payloads;
}

}  // namespace

KafkaDeadLetters::KafkaDeadLetters(KafkaDeadLettersOptions options, kafka::Producer& producer)
    : options_(std::move(options)), producer_(producer) {
  for (const otlp::Signal signal : otlp::kSignals) {
    topics_[otlp::index_of(signal)] = topic_of(options_.topics, signal) + options_.suffix;
  }
}

void KafkaDeadLetters::write(DeadLetter letter, std::function<void(Status)> done) {
  const std::string& topic = topics_[otlp::index_of(letter.signal)];
  const Result<std::int32_t> partitions = producer_.partition_count(topic);
  if (!partitions.ok()) {
    done(partitions.error());
    return;
  }
  std::vector<std::pair<std::string, std::string>> headers = {
      {"content-type", "application/x-protobuf"},
      {"spanway-error", letter.error.substr(0, kErrorBytesMax)},
      {"spanway-origin", letter.origin},
      {"spanway-attempts", std::to_string(letter.attempts)},
      {"spanway-destination", options_.destination},
      {"spanway-group", options_.group}};
  if (!letter.tenant.empty()) headers.emplace_back("spanway-tenant", letter.tenant);
  if (!letter.rejected.empty()) headers.emplace_back("spanway-rejected", letter.rejected);
  std::vector<Bytes> payloads = split_letter(letter, options_.record_bytes_max);
  auto joined = std::make_shared<Joined>(payloads.size(), std::move(done));
  for (Bytes& payload : payloads) {
    kafka::Record record;
    record.topic = topic;
    record.partition = letter.partition % *partitions;
    record.payload = std::move(payload);
    record.headers = headers;
    producer_.produce(std::move(record),
                      [joined](Status status) { joined->on_report(std::move(status)); });
  }
}

}  // namespace spanway::kafka_bridge
