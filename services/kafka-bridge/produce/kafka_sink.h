// Writes OTLP requests to Kafka and answers when Kafka has them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/kafka-bridge/events.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/mutex.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/producer.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"
#include "services/lib/pipeline/in_flight.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::kafka_bridge {

struct KafkaSinkOptions {
  kafka::TopicNames topics;
  otlp::ScanLimits limits;
  // Grants what the index of an unusual request takes; outlives the sink and may be null.
  MemoryBudget* index_memory = nullptr;
  std::size_t record_bytes_max = 900u << 10;
  bool key_by_trace = false;
  // The producer's: deadlines that end earlier are watched here.
  Duration message_timeout = std::chrono::seconds(9);
};

// OK means: every accepted item is written with acks=all. A request that Kafka cannot take as a
// completely at the moment (no room in the queue, a failing partition, a backlog) is refused before
// its first record. Any other refusal: some records may have been written, none is claimed. What
// Kafka refuses is never the client's fault (items that no record can hold are rejected before), so
// those answers are retryable: UNAVAILABLE with retry_after.
//
// Thread-safe. Scans on the calling thread. A request whose items all belong to one partition is
// handed over without copying a byte; others are split, after the permit has grown to both sizes.
class KafkaSink final : public pipeline::Sink {
 public:
  // `producer`, `timers` (for deadlines earlier than the producer's own) and telemetry outlive it;
  // drain() it before they go.
  KafkaSink(KafkaSinkOptions options, kafka::Producer& producer, Executor& timers,
            telemetry::Telemetry telemetry);

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override { return in_flight_.close_and_wait(deadline); }
  pipeline::SinkHealth health() const override;
  // Health of producing: the last answer of each signal, or, for one without any, the state of its
  // topic's metadata.
  struct State {
    bool ok = true;
    std::string last_error;
    const char* last_error_reason = "";
  };
  State state() const;
  // From now on requests of that signal are answered with this; nullopt ends it.
  void refuse_signal(otlp::Signal signal, std::optional<Error> error);
  // The topic of that signal takes records of at most so many bytes (max.message.bytes): requests
  // are divided accordingly, and a larger item is rejected.
  void limit_records(otlp::Signal signal, std::uint64_t message_bytes_max) noexcept;
  const ProduceEvents& events() const noexcept { return events_; }

 private:
  struct Request;

  otlp::Scanner& scanner(otlp::Signal signal, const otlp::ScanLimits& limits) const;
  std::size_t record_bytes_max(otlp::Signal signal) const noexcept;
  std::string topic_limit_text(const std::string& topic, const otlp::ScanLimits& limits,
                               const otlp::Index& index) const;
  void refuse(pipeline::AckToken token, Error error) noexcept;
  Result<std::int32_t> partitions(const std::string& topic) const;
  // Either takes the request to Kafka or returns why not; `token` is moved from in the first case.
  Status try_send(pipeline::Batch& batch, pipeline::AckToken& token);
  Result<std::vector<otlp::Part>> divide(pipeline::Batch& batch, const otlp::Index& index,
                                         const otlp::SplitOptions& options) const;
  Status produce(const std::shared_ptr<Request>& request, std::vector<otlp::Part> parts);
  std::optional<Error> refusal(otlp::Signal signal) const;
  void remember(otlp::Signal signal, const Error* error);

  const KafkaSinkOptions options_;
  kafka::Producer& producer_;
  Executor& timers_;
  const ProduceEvents events_;
  const std::uint64_t id_;
  pipeline::InFlight in_flight_;
  // Bytes of a record's payload that the topics take.
  std::array<std::atomic<std::size_t>, otlp::kSignals.size()> topic_limits_;
  // True while the entry below is set; spares the common case the lock.
  std::array<std::atomic<bool>, otlp::kSignals.size()> has_error_{};
  std::array<std::atomic<bool>, otlp::kSignals.size()> has_refusal_{};
  mutable Mutex mutex_;
  std::array<std::optional<Error>, otlp::kSignals.size()> last_errors_ SPANWAY_GUARDED_BY(mutex_);
  std::array<std::optional<Error>, otlp::kSignals.size()> refusals_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka_bridge
