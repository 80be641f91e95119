// Where items go that a destination refuses for good: `<topic>.dlq`.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "services/kafka-bridge/events.h"
#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/producer.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

struct DeadLetter {
  otlp::Signal signal = otlp::Signal::kTraces;
  DeadLetterCause cause = DeadLetterCause::kRefused;
  Bytes payload;
  std::string tenant;
  std::string error;   // What the destination said.
  std::string origin;  // "topic:partition:offset", or "topic:partition:first-last" of a copy.
  std::int32_t partition = 0;
  std::uint64_t attempts = 0;
  std::string rejected;  // "2/10" of a copy; else empty.
};

// Thread-safe.
class DeadLetterWriter {
 public:
  virtual ~DeadLetterWriter() = default;
  // `done` runs once, on any thread, also before write() returns; OK = durably written.
  virtual void write(DeadLetter letter, std::function<void(Status)> done) = 0;
};

struct KafkaDeadLettersOptions {
  kafka::TopicNames topics;
  std::string suffix = ".dlq";
  std::string destination;
  std::string group;
  // Larger letters are split at item boundaries.
  std::size_t record_bytes_max = 900u << 10;
};

class KafkaDeadLetters final : public DeadLetterWriter {
 public:
  // The producer outlives it; all reports come before the producer is gone.
  KafkaDeadLetters(KafkaDeadLettersOptions options, kafka::Producer& producer);
  void write(DeadLetter letter, std::function<void(Status)> done) override;

 private:
  const KafkaDeadLettersOptions options_;
  std::array<std::string, kSignalCount> topics_;
  kafka::Producer& producer_;
};

}  // namespace spanway::kafka_bridge
