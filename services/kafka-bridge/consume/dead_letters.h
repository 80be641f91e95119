// Where items go that a destination refuses for good: `<topic>.dlq`.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/kafka-bridge/consume/dead_letter_file.h"
#include "services/kafka-bridge/consume/dead_letter_parts.h"
#include "services/kafka-bridge/consume/topic_size_limits.h"
#include "services/kafka-bridge/events.h"
#include "services/lib/base/bytes.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/memory_budget.h"
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
  std::string error;   // The destination's answer.
  std::string origin;  // "topic:partition:offset", or "topic:partition:first-last" of a copy.
  std::int32_t partition = 0;
  std::uint64_t attempts = 0;
  std::string rejected;          // "2/10" of a copy; else empty.
  std::uint64_t item_count = 0;  // Units of delivery that become this letter; 0 when unknown.
};

// Thread-safe.
class DeadLetterWriter {
 public:
  virtual ~DeadLetterWriter() = default;
  // `done` runs once, on any thread, also before write() returns; OK = durably written. After an
  // error the same letter may be given again: what of it is written is not written again.
  virtual void write(DeadLetter letter, std::function<void(Status)> done) = 0;
};

struct KafkaDeadLettersOptions {
  kafka::TopicNames topics;
  std::string suffix = ".dlq";
  std::string destination;
  std::string group;
  // The largest record with its headers that a topic takes about which nothing is known.
  std::size_t record_bytes_assumed = (900u + 64u) << 10;
  // The largest that is ever written.
  std::size_t record_bytes_max = 8u << 20;
  // Where letters go that their topic cannot take; both empty = nowhere.
  std::string fallback_topic;
  std::string fallback_file;
  std::uint64_t fallback_file_bytes_max = 1u << 30;
};

// All outlive the writer.
struct KafkaDeadLettersDeps {
  // A thread of its own: reading a topic's settings and writing the file block it. After its end,
  // letters are dropped without an answer.
  Executor& executor;
  kafka::Producer& producer;  // Puts one record into a request: see dead_letter_client().
  MemoryBudget& budget;       // For parts; the letters themselves are their owners'.
  sinks::FileOps& files;
  TopicSizeLimits::Reader read_size_limit;
  telemetry::Telemetry telemetry;
};

// A letter that is larger than its topic takes is divided: between items, into letters that are
// complete OTLP requests, else between any two bytes, into parts with the headers spanway-letter
// and spanway-part. Each part is written once, however often the letter is given. Bounds: one
// record in flight per letter; what is remembered of 10,000 letters that were not written to their
// end.
class KafkaDeadLetters final : public DeadLetterWriter {
 public:
  KafkaDeadLetters(KafkaDeadLettersOptions options, KafkaDeadLettersDeps deps);
  void write(DeadLetter letter, std::function<void(Status)> done) override;

 private:
  // A run of bytes that is a letter of its own.
  struct Chunk {
    Bytes payload;
    std::string id;
    bool undivided = true;  // Dividing it between items was not tried.
  };
  // A letter on its way.
  struct Job {
    DeadLetter letter;
    std::function<void(Status)> done;
    RecordHeaders headers;
    std::string topic;  // Where it is being written.
    bool in_fallback = false;
    int look_ups = 0;
    std::deque<Chunk> chunks;
    std::vector<std::string> remembered;  // Keys of written_.
    Permit parts;                         // For chunks that were divided.
    Permit record;                        // For the record in flight.
  };
  using JobPtr = std::shared_ptr<Job>;
  // The record in flight: a run of the first chunk's bytes.
  struct Sent {
    std::size_t begin, end;
    std::size_t record_bytes;
  };
  // A topic that refuses all letters.
  struct Refusing {
    int times = 0;
    SteadyTime retry_at;
  };

  RecordHeaders headers_of(const DeadLetter& letter) const;
  bool has_fallback() const noexcept {
    return !options_.fallback_topic.empty() || file_ != nullptr;
  }
  bool passes_over(const std::string& topic) const;
  void begin(const JobPtr& job);
  void begin_fallback(const JobPtr& job, const std::string& why);
  void next(const JobPtr& job);
  bool divide(const JobPtr& job, std::size_t payload_bytes_max);
  void send(const JobPtr& job, std::int32_t partitions, std::size_t begin, std::size_t end);
  void on_report(const JobPtr& job, const Sent& sent, Status status);
  void fail(const JobPtr& job, Error error);
  void finish(const JobPtr& job, Status status);
  std::size_t written(const Job& job, const Chunk& chunk) const;
  void remember(Job& job, const Chunk& chunk, std::size_t bytes);

  const KafkaDeadLettersOptions options_;
  const KafkaDeadLettersDeps deps_;
  DeadLetterEvents events_;
  std::array<std::string, kSignalCount> topics_;
  TopicSizeLimits limits_;
  std::unique_ptr<DeadLetterFile> file_;
  std::map<std::string, Refusing> refusing_;
  // Bytes of each chunk that its topic has, until its letter is written to its end.
  std::map<std::string, std::size_t> written_;
  std::deque<std::string> written_order_;
};

// Settings of the producer's client beside those of the user. One record in a request: a topic's
// limit holds for the request, and a record that fits must not be refused for others beside it.
kafka::ClientConfig dead_letter_client(kafka::ClientConfig client);

}  // namespace spanway::kafka_bridge
