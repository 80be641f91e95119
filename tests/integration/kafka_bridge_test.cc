// The bridge against librdkafka's mock cluster: through Kafka and out again, across restarts,
// rebalances and outages.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/kafka-bridge/bridge_service.h"
#include "services/lib/http/io_pool.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/integration/mock_cluster.h"

namespace spanway::kafka_bridge {
namespace {

using fakes::eventually;
using fakes::MockCluster;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A destination in this process that keeps the names of the spans it took. Thread-safe.
class Destination final : public pipeline::Sink {
 public:
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override {
    {
      MutexLock lock(mutex_);
      ++calls_;
      batch_ids_.push_back(batch.metadata.batch_id);
      if (deferred_) {
        waiting_.emplace_back(std::move(batch), std::move(token));
        return;
      }
    }
    answer(batch, token);
  }
  bool drain(Deadline) override { return true; }
  pipeline::SinkHealth health() const override {
    pipeline::SinkHealth health;
    health.reachable = true;
    return health;
  }
  void refuse_with(std::optional<Error> error) {
    MutexLock lock(mutex_);
    refusal_ = std::move(error);
  }
  void stall() {
    MutexLock lock(mutex_);
    deferred_ = true;
  }
  std::size_t waiting() const {
    MutexLock lock(mutex_);
    return waiting_.size();
  }
  void release() {
    std::vector<std::pair<pipeline::Batch, pipeline::AckToken>> batches;
    {
      MutexLock lock(mutex_);
      deferred_ = false;
      batches.swap(waiting_);
    }
    for (auto& [batch, token] : batches) answer(batch, token);
  }
  // How often each span came.
  std::map<std::string, int> spans() const {
    MutexLock lock(mutex_);
    return spans_;
  }
  std::size_t distinct() const { return spans().size(); }
  std::size_t duplicates() const {
    std::size_t count = 0;
    for (const auto& [name, times] : spans()) count += static_cast<std::size_t>(times - 1);
    return count;
  }
  std::size_t calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }
  std::vector<std::string> batch_ids() const {
    MutexLock lock(mutex_);
    return batch_ids_;
  }

 private:
  void answer(pipeline::Batch& batch, pipeline::AckToken& token) {
    std::optional<Error> refusal;
    {
      MutexLock lock(mutex_);
      refusal = refusal_;
      if (!refusal) {
        const std::string_view payload = batch.payload.view();
        for (std::size_t at = payload.find("span-"); at != std::string_view::npos;
             at = payload.find("span-", at + 1)) {
          ++spans_[std::string(payload.substr(at, payload.find('/', at) - at))];
        }
      }
    }
    if (refusal) {
      token.nack(std::move(*refusal));
    } else {
      token.ack();
    }
  }

  mutable Mutex mutex_;
  std::optional<Error> refusal_ SPANWAY_GUARDED_BY(mutex_);
  std::map<std::string, int> spans_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<std::string> batch_ids_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<std::pair<pipeline::Batch, pipeline::AckToken>> waiting_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t calls_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool deferred_ SPANWAY_GUARDED_BY(mutex_) = false;
};

struct BridgeFixture {
  explicit BridgeFixture(int partitions = 4) : partition_count(partitions) {
    cluster.create_topic("otel.traces", partitions);
    cluster.create_topic("otel.metrics", 1);
    cluster.create_topic("otel.logs", 1);
    cluster.create_topic("otel.traces.dlq", 1);
    config.kafka.brokers = cluster.brokers();
    config.otlp.grpc.enabled = false;
    config.consumer.destination = "test";
    config.consumer.signals = {"traces"};
    config.consumer.kafka.start_from = kafka::ConsumerConfig::StartFrom::kEarliest;
    // The mock coordinator waits for a whole session at each rebalance; Kafka's does not.
    config.consumer.kafka.session_timeout = seconds(6);
    config.consumer.commit_interval = milliseconds(50);
    config.consumer.retry.stalled_max = milliseconds(200);
  }
  std::unique_ptr<BridgeService> make(Mode mode) {
    config.mode = mode;
    auto created = BridgeService::create(config, {pool, {log, metrics}, system_clock()},
                                         mode == Mode::kProduce ? nullptr : &destination);
    EXPECT_TRUE(created.ok());
    EXPECT_TRUE((*created)->start().ok());
    return std::move(created).value();
  }
  bool stop(std::unique_ptr<BridgeService>& service) {
    service->stop_accepting();
    const bool clean = service->drain(Deadline::after(system_clock(), seconds(15)));
    service.reset();
    return clean;
  }
  // Writes `count` requests of ten spans each; true when all were answered OK.
  bool write(BridgeService& producer, int count) {
    bool good = eventually([&] { return producer.readiness().ready; });
    for (int i = 0; i < count; ++i) {
      std::vector<fakes::ProtoMessage> items;
      for (int k = 0; k < 10; ++k) {
        const auto n = static_cast<std::uint64_t>(++written);
        items.push_back(fakes::otlp_span(n, n, "span-" + std::to_string(n) + "/"));
      }
      pipeline::Batch batch;
      batch.payload = Bytes(fakes::otlp_request_of(items));
      batch.deadline = Deadline::after(system_clock(), seconds(20));
      producer.kafka_sink()->send(std::move(batch), answers.token());
      const auto answer = answers.next();
      good = good && answer && answer->ok();
    }
    return good;
  }
  bool all_delivered(Duration timeout = seconds(30)) {
    return eventually(
        [this] { return destination.distinct() == static_cast<std::size_t>(written); }, timeout);
  }
  // Everything that is in Kafka is committed as done.
  bool all_committed() {
    return eventually([this] {
      std::int64_t committed = 0;
      for (int p = 0; p < partition_count; ++p) {
        committed += std::max<std::int64_t>(0, cluster.committed("spanway-test", "otel.traces", p));
      }
      return committed == cluster.record_count("otel.traces", partition_count);
    });
  }

  const int partition_count;
  MockCluster cluster;
  http::IoPool pool{"io", 1};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  BridgeConfig config;
  Destination destination;
  fakes::Answers answers;
  int written = 0;
};

TEST(KafkaBridge, DeliversWhatItWrote) {
  BridgeFixture fixture;
  auto service = fixture.make(Mode::kBoth);
  ASSERT_TRUE(fixture.write(*service, 30));
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.all_committed());
  EXPECT_EQ(fixture.destination.duplicates(), 0u);
  EXPECT_LT(fixture.destination.calls(), 120u) << "records are joined";
  EXPECT_TRUE(eventually([&] {
    const std::string json = service->status_json();
    return json.find("\"reachable\":true") != std::string::npos &&
           json.find("\"lag_messages\":0") != std::string::npos;
  })) << service->status_json();
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, ARestartResumesAtTheCommittedOffset) {
  BridgeFixture fixture;
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 10));
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.stop(consumer));
  ASSERT_TRUE(fixture.write(*producer, 10));
  consumer = fixture.make(Mode::kConsume);
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.stop(consumer));
  EXPECT_EQ(fixture.destination.duplicates(), 0u);
  EXPECT_TRUE(fixture.stop(producer));
}

TEST(KafkaBridge, WhatWasNotAnsweredIsDeliveredAgain) {
  BridgeFixture fixture;
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 10));
  fixture.destination.stall();
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(eventually([&] { return fixture.destination.waiting() > 0; }));
  consumer->stop_accepting();
  EXPECT_FALSE(consumer->drain(Deadline::after(system_clock(), milliseconds(500))));
  consumer.reset();
  fixture.destination.release();  // The answers come too late to be committed.
  const std::size_t early = fixture.destination.distinct();
  EXPECT_GT(early, 0u);
  consumer = fixture.make(Mode::kConsume);
  EXPECT_TRUE(eventually([&] { return fixture.destination.duplicates() == early; }));
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.stop(consumer));
}

TEST(KafkaBridge, LatestBeginsAtTheEndAndRemembersIt) {
  BridgeFixture fixture;
  fixture.config.consumer.kafka.start_from = kafka::ConsumerConfig::StartFrom::kLatest;
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 5));
  const int before = fixture.written;
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(fixture.all_committed()) << "the beginning is committed before anything is read";
  EXPECT_TRUE(fixture.stop(consumer));
  ASSERT_TRUE(fixture.write(*producer, 5));
  consumer = fixture.make(Mode::kConsume);
  EXPECT_TRUE(eventually([&] {
    return fixture.destination.distinct() == static_cast<std::size_t>(fixture.written - before);
  })) << "what was written while it was away is delivered";
  EXPECT_TRUE(fixture.stop(consumer));
}

TEST(KafkaBridge, ReplicasShareThePartitionsAndLoseNothing) {
  BridgeFixture fixture(6);
  auto producer = fixture.make(Mode::kProduce);
  auto first = fixture.make(Mode::kConsume);
  ASSERT_TRUE(fixture.write(*producer, 20));
  ASSERT_TRUE(fixture.all_delivered());
  auto second = fixture.make(Mode::kConsume);
  const auto partitions_of = [](const BridgeService& service) {
    const std::string json = service.status_json();
    std::size_t count = 0;
    for (std::size_t at = json.find("\"partition\":"); at != std::string::npos;
         at = json.find("\"partition\":", at + 1)) {
      ++count;
    }
    return count;
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(fixture.write(*producer, 2));
  EXPECT_TRUE(eventually([&] { return partitions_of(*first) == 3 && partitions_of(*second) == 3; }))
      << first->status_json() << second->status_json();
  ASSERT_TRUE(fixture.write(*producer, 20));
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.stop(first));
  ASSERT_TRUE(fixture.write(*producer, 20));
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.all_committed());
  EXPECT_EQ(fixture.destination.duplicates(), 0u) << "revoked partitions are finished first";
  EXPECT_TRUE(fixture.stop(second));
}

TEST(KafkaBridge, ADestinationThatIsDownLosesNothing) {
  BridgeFixture fixture;
  fixture.destination.refuse_with(unavailable("down"));
  auto service = fixture.make(Mode::kBoth);
  ASSERT_TRUE(fixture.write(*service, 20));
  ASSERT_TRUE(eventually([&] { return fixture.destination.calls() > 5; }));
  EXPECT_EQ(fixture.cluster.committed("spanway-test", "otel.traces", 0), 0);
  fixture.destination.refuse_with(std::nullopt);
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.all_committed());
  EXPECT_EQ(fixture.cluster.record_count("otel.traces.dlq", 1), 0);
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, AnExpiredTokenStallsAndIsReported) {
  BridgeFixture fixture;
  fixture.destination.refuse_with(configuration_error(Code::kUnauthenticated, "token expired"));
  auto service = fixture.make(Mode::kBoth);
  ASSERT_TRUE(fixture.write(*service, 5));
  EXPECT_TRUE(eventually([&] {
    const std::string json = service->status_json();
    return json.find("\"stalled\":true,\"reason\":\"token expired\"") != std::string::npos;
  })) << service->status_json();
  EXPECT_TRUE(service->readiness().ready) << "a dead destination does not make us unready";
  fixture.destination.refuse_with(std::nullopt);
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(eventually(
      [&] { return fixture.metrics.value("spanway_kafka_bridge_stalled_partitions") == 0; }));
  EXPECT_EQ(fixture.cluster.record_count("otel.traces.dlq", 1), 0);
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, ADestinationThatRefusesEverythingAsDataStallsInsteadOfDeadLettering) {
  BridgeFixture fixture(1);
  fixture.destination.refuse_with(invalid_argument("never"));
  auto service = fixture.make(Mode::kBoth);
  ASSERT_TRUE(fixture.write(*service, 1));
  EXPECT_TRUE(eventually([&] {
    return service->status_json().find("\"stalled\":true") != std::string::npos;
  })) << service->status_json();
  EXPECT_EQ(fixture.cluster.committed("spanway-test", "otel.traces", 0), 0);
  fixture.destination.refuse_with(std::nullopt);
  EXPECT_TRUE(fixture.all_committed());
  EXPECT_EQ(fixture.destination.distinct(), 10u);
  EXPECT_EQ(fixture.destination.duplicates(), 0u);
  EXPECT_EQ(fixture.cluster.record_count("otel.traces.dlq", 1), 0);
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, AKafkaOutageIsUnavailableAndPasses) {
  BridgeFixture fixture;
  auto service = fixture.make(Mode::kBoth);
  ASSERT_TRUE(fixture.write(*service, 5));
  ASSERT_TRUE(fixture.all_delivered());
  fixture.cluster.set_all(false);
  pipeline::Batch batch;
  batch.payload = Bytes(fakes::otlp_request_of({fakes::otlp_span(1, 1, "refused")}));
  batch.deadline = Deadline::after(system_clock(), seconds(1));
  service->kafka_sink()->send(std::move(batch), fixture.answers.token());
  const auto answer = fixture.answers.next();
  ASSERT_TRUE(answer);
  ASSERT_FALSE(answer->ok());
  EXPECT_EQ(answer->error().refusal, Refusal::kTransient);
  EXPECT_TRUE(service->readiness().ready) << "clients get UNAVAILABLE, not a refused connection";
  fixture.cluster.set_all(true);
  EXPECT_TRUE(eventually([&] { return fixture.write(*service, 1); }, seconds(60)));
  ASSERT_TRUE(fixture.write(*service, 5));
  EXPECT_TRUE(eventually([&] {
    return fixture.destination.distinct() >= static_cast<std::size_t>(fixture.written) - 100;
  }));
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, TheCoordinatorMayMoveAndCommitsMayFail) {
  BridgeFixture fixture;
  auto service = fixture.make(Mode::kBoth);
  constexpr int kNotCoordinator = 16;
  constexpr int kRebalanceInProgress = 27;
  for (int round = 0; round < 5; ++round) {
    fixture.cluster.set_group_coordinator("spanway-test", 1 + round % 3);
    fixture.cluster.fail_next(MockCluster::kOffsetCommit, {kNotCoordinator, kRebalanceInProgress});
    ASSERT_TRUE(fixture.write(*service, 5));
  }
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_TRUE(fixture.all_committed());
  EXPECT_TRUE(fixture.stop(service));
}

TEST(KafkaBridge, RecordsThatRetentionTookAreCountedAsLost) {
  BridgeFixture fixture(1);
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 10));
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(fixture.all_delivered());
  ASSERT_TRUE(fixture.all_committed());
  EXPECT_TRUE(fixture.stop(consumer));
  ASSERT_TRUE(fixture.write(*producer, 10));
  fixture.cluster.delete_records_before("otel.traces", 0, 14);
  consumer = fixture.make(Mode::kConsume);
  EXPECT_TRUE(eventually([&] { return fixture.destination.distinct() == 100u + 60u; }))
      << fixture.destination.distinct();
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lost_records_total"), 4);
  EXPECT_TRUE(eventually(
      [&] { return fixture.cluster.committed("spanway-test", "otel.traces", 0) == 20; }));
  EXPECT_TRUE(fixture.stop(consumer));
}

TEST(KafkaBridge, NamedBatchesAreRepeatedExactlyAfterARestart) {
  BridgeFixture fixture(1);
  fixture.config.consumer.batch_identity = true;
  fixture.config.consumer.batch.items_max = 30;
  // So that batches are full, however slowly records come in.
  fixture.config.consumer.batch.linger = std::chrono::seconds(1);
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 20));
  fixture.destination.stall();
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(eventually([&] { return fixture.destination.waiting() >= 6; }));
  consumer->stop_accepting();
  consumer->drain(Deadline::after(system_clock(), milliseconds(200)));
  consumer.reset();
  std::vector<std::string> before = fixture.destination.batch_ids();
  fixture.destination.release();
  fixture.config.consumer.batch.items_max = 1000;
  const std::size_t calls = fixture.destination.calls();
  consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(fixture.all_delivered());
  ASSERT_TRUE(fixture.all_committed());
  std::vector<std::string> after = fixture.destination.batch_ids();
  after.erase(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(calls));
  ASSERT_GE(after.size(), before.size());
  after.resize(before.size());
  EXPECT_EQ(after, before);
  EXPECT_EQ(before[0], "otel.traces:0:0-2");
  EXPECT_TRUE(fixture.stop(consumer));
}

TEST(KafkaBridge, BackPressureStopsReading) {
  BridgeFixture fixture(1);
  fixture.config.consumer.max_in_flight_per_partition = 2;
  fixture.config.consumer.batch.items_max = 10;
  auto producer = fixture.make(Mode::kProduce);
  ASSERT_TRUE(fixture.write(*producer, 50));
  fixture.destination.stall();
  auto consumer = fixture.make(Mode::kConsume);
  ASSERT_TRUE(eventually([&] { return fixture.destination.waiting() == 2; }));
  EXPECT_LE(
      fixture.metrics.value("spanway_kafka_bridge_consumed_records_total", {{"signal", "traces"}}),
      5);
  fixture.destination.release();
  EXPECT_TRUE(fixture.all_delivered());
  EXPECT_EQ(fixture.destination.duplicates(), 0u);
  EXPECT_TRUE(fixture.stop(consumer));
}

TEST(KafkaBridge, WithoutKafkaItIsNotReadyAndStopsAllTheSame) {
  BridgeFixture fixture;
  fixture.config.kafka.brokers = {"127.0.0.1:1"};
  auto service = fixture.make(Mode::kBoth);
  EXPECT_FALSE(service->readiness().ready);
  EXPECT_NE(service->readiness().reason, "");
  EXPECT_TRUE(fixture.stop(service));
}

}  // namespace
}  // namespace spanway::kafka_bridge
