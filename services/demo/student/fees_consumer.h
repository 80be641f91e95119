// Reads the topic `student`, sets the fees in the table, and writes the topic `student-billing`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/demo/student/database.h"
#include "services/demo/tracing/tracer.h"
#include "services/lib/base/executor.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/producer.h"
#include "services/lib/telemetry/logger.h"

namespace spanway::demo {

// One record at a time: its offset is committed once the row has its fees and the brokers have the
// message, so a record may be handled twice and none is lost. What fails is tried again every
// kRetryWait; a record that is no student is logged and left out. Everything but the database and
// the producer runs on the consumer's executor. All parts outlive it.
class FeesConsumer final : public kafka::ConsumerListener {
 public:
  static constexpr Duration kRetryWait = std::chrono::seconds(1);
  struct Parts {
    Database& database;  // Used on `worker` only, which may block.
    kafka::Producer& producer;
    Tracer& tracer;
    Executor& executor;
    Executor& worker;
    const telemetry::Logger& log;
    std::function<void()> on_assigned;
    std::function<void(const Error&)> on_fatal;
  };
  explicit FeesConsumer(Parts parts) : parts_(std::move(parts)) {}
  // Before the consumer is started.
  void set_consumer(kafka::Consumer& consumer) { consumer_ = &consumer; }

  void on_assigned(const kafka::TopicPartition&, const kafka::StartPosition&) override;
  bool on_record(const kafka::TopicPartition& partition, const kafka::RecordView& record) override;
  void on_revoked(const std::vector<kafka::TopicPartition>&, std::function<void()> done) override;
  void on_lost(const std::vector<kafka::TopicPartition>&) override { current_.reset(); }
  void on_end(const kafka::TopicPartition&, std::int64_t) override {}
  void on_gap(const kafka::TopicPartition&, std::int64_t, std::int64_t, std::uint64_t) override {}
  void on_error(const Error& error) override;
  void on_fatal(const Error& error) override { parts_.on_fatal(error); }

 private:
  struct Work;
  void run(const std::shared_ptr<Work>& work);
  void publish(const std::shared_ptr<Work>& work);
  void finished(const std::shared_ptr<Work>& work, const Status& result);
  void complete(const Work& work);

  const Parts parts_;
  kafka::Consumer* consumer_ = nullptr;
  bool busy_ = false;
  std::optional<kafka::TopicPartition>
      current_;                    // The partition of the record in work; none once lost.
  std::function<void()> revoked_;  // Runs when the record in work is done.
};

}  // namespace spanway::demo
