// A KafkaSink on a fake producer, with a manual clock.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "services/kafka-bridge/produce/kafka_sink.h"
#include "services/lib/base/memory_budget.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_producer.h"
#include "tests/fakes/manual_executor.h"

namespace spanway::kafka_bridge {

struct KafkaSinkFixture {
  explicit KafkaSinkFixture(std::int32_t partitions = 4) : producer(partitions) { remake(); }
  void remake() {
    sink = std::make_unique<KafkaSink>(options, producer, executor,
                                       telemetry::Telemetry{log, metrics});
  }
  void send(std::string_view payload, Duration timeout = std::chrono::seconds(30),
            const std::string& tenant = "", otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch batch;
    batch.signal = signal;
    batch.payload = Bytes(payload);
    batch.deadline = Deadline::after(clock, timeout);
    batch.metadata.tenant = tenant;
    auto permit = budget.try_acquire(payload.size());
    if (permit) batch.permit = std::move(*permit);
    sink->send(std::move(batch), answers.token());
  }
  // The answer, which must be there.
  Result<pipeline::Outcome> answer() {
    EXPECT_GT(answers.count(), answered_) << "no answer yet";
    ++answered_;
    return answers.next().value();
  }
  bool unanswered() const { return answers.count() == answered_; }
  void report_all(const Status& status = {}) {
    while (auto sent = producer.take()) sent->report(status);
  }
  double duplicates() const {
    return metrics.value("spanway_kafka_bridge_possible_duplicate_items_total",
                         {{"signal", "traces"}});
  }

  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::FakeProducer producer;
  MemoryBudget budget{8u << 20};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  fakes::Answers answers;
  KafkaSinkOptions options;
  std::unique_ptr<KafkaSink> sink;

 private:
  std::size_t answered_ = 0;
};

}  // namespace spanway::kafka_bridge
