// A ConsumerGroup without Kafka and without threads.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/kafka-bridge/consume/consumer_group.h"
#include "tests/fakes/fake_consumer.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {

struct GroupFixture {
  GroupFixture() {
    config.consumer.destination = "jaeger";
    config.consumer.batch.linger = Duration::zero();  // Each partition by itself.
  }
  void begin() {
    const ConsumerGroupDeps deps{executor, sink, letters, budget, {log, metrics}, Random(1)};
    auto created = ConsumerGroup::create(
        config, deps,
        [this](std::vector<std::string> names,
               kafka::ConsumerListener& listener) -> Result<std::unique_ptr<kafka::Consumer>> {
          topics = std::move(names);
          auto made = std::make_unique<fakes::FakeConsumer>(listener);
          consumer = made.get();
          return std::unique_ptr<kafka::Consumer>(std::move(made));
        });
    ASSERT_TRUE(created.ok());
    group = std::move(created).value();
    ASSERT_TRUE(group->start().ok());
    executor.run();
  }
  void put(const kafka::TopicPartition& partition, std::int64_t offset, int first_span,
           std::int64_t timestamp_ms = 0) {
    consumer->put(partition, {offset, timestamp_ms, spans(first_span, 1), ""});
  }
  // The destination accepts every batch from here on.
  void accept_all() {
    sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  }
  // The group takes the partition back; `revoked` once the group may give it to another member.
  void revoke(const kafka::TopicPartition& partition) {
    consumer->listener.on_revoked({partition}, [this] { revoked = true; });
  }
  // `drained`, once it has ended: true when all was answered and committed.
  void drain(Duration timeout) {
    group->drain(timeout, [this](bool is_clean) { drained = is_clean; });
  }
  std::int64_t committed(const kafka::TopicPartition& partition) const {
    const auto found = consumer->committed.find(partition);
    return found == consumer->committed.end() ? -1 : found->second.offset;
  }

  const kafka::TopicPartition p0{"otel.traces", 0};
  const kafka::TopicPartition p1{"otel.traces", 1};
  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::SinkRecorder sink;
  FakeDeadLetters letters;
  MemoryGate gate{256u << 20};
  MemoryBudget budget{64u << 20, &gate};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  BridgeConfig config;
  std::vector<std::string> topics;
  bool revoked = false;
  std::optional<bool> drained;
  fakes::FakeConsumer* consumer = nullptr;
  std::unique_ptr<ConsumerGroup> group;
};

// Runs, is assigned p0 and has sent its first record, which is not answered yet.
struct BatchInFlightFixture : GroupFixture {
  BatchInFlightFixture() {
    begin();
    consumer->assign(p0, 0);
    put(p0, 0, 0);
    executor.advance(std::chrono::milliseconds(10));
    in_flight = sink.take(Duration::zero());
    EXPECT_TRUE(in_flight);
  }
  void acknowledge() {
    in_flight->token.ack();
    executor.run();
  }

  std::optional<fakes::SinkRecorder::Taken> in_flight;
};

// Runs, is assigned p0, and the destination accepts every batch.
struct AcceptingGroupFixture : GroupFixture {
  explicit AcceptingGroupFixture(std::int64_t first_offset = 0) {
    begin();
    accept_all();
    consumer->assign(p0, first_offset);
  }
};

}  // namespace spanway::kafka_bridge
