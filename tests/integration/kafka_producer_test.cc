// The producer against librdkafka's mock cluster: every record is reported once, whatever the
// brokers do.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "services/lib/base/check.h"
#include "services/lib/kafka/producer.h"
#include "tests/fakes/eventually.h"
#include "tests/integration/mock_cluster.h"

namespace spanway::kafka {
namespace {

using fakes::eventually;
using fakes::MockCluster;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kNotEnoughReplicas = 19;
constexpr int kNotEnoughReplicasAfterAppend = 20;
constexpr int kRequestTimedOut = 7;
constexpr int kNotLeader = 6;
constexpr int kCorruptMessage = 2;
constexpr int kMessageTooLarge = 10;
constexpr int kTopicAuthorizationFailed = 29;
constexpr int kOutOfOrderSequence = 45;
constexpr int kUnknownTopic = 3;
constexpr int kTransport = -195;

struct ProducerFixture {
  explicit ProducerFixture(ProducerConfig config = {},
                           std::map<std::string, std::string> librdkafka = {}) {
    client.librdkafka = std::move(librdkafka);
    client.brokers = cluster.brokers();
    cluster.create_topic("t", 4);
    auto created = Producer::create(client, config, system_clock(), {log, metrics});
    EXPECT_TRUE(created.ok());
    producer = std::move(created).value();
  }
  bool ready() {
    return eventually([this] { return producer->partition_count("t").ok(); });
  }
  void produce(const std::string& payload, std::int32_t partition = 0) {
    Record record;
    record.topic = "t";
    record.partition = partition;
    record.payload = Bytes(payload);
    record.headers = {{"content-type", "application/x-protobuf"}};
    ++sent;
    producer->produce(std::move(record), [this](Status status) {
      MutexLock lock(mutex);
      ++reports;
      if (status.ok()) {
        ++written;
      } else {
        failures.push_back(std::move(status).error());
      }
    });
  }
  // One request with a record of that size for each of the 4 partitions; its reports, when all are
  // there, or why none of it was taken.
  Result<std::vector<Status>> produce_everywhere(std::size_t bytes) {
    struct Reports {
      Mutex mutex;
      std::vector<Status> given;
    };
    auto given = std::make_shared<Reports>();
    std::vector<Record> records;
    for (std::int32_t partition = 0; partition < 4; ++partition) {
      Record& record = records.emplace_back();
      record.topic = "t";
      record.partition = partition;
      record.payload = Bytes(std::string(bytes, 'x'));
    }
    SPANWAY_TRY(producer->produce_all(std::move(records), [given](std::size_t, Status status) {
      MutexLock lock(given->mutex);
      given->given.push_back(std::move(status));
    }));
    EXPECT_TRUE(eventually(
        [&] {
          MutexLock lock(given->mutex);
          return given->given.size() == 4;
        },
        seconds(30)));
    MutexLock lock(given->mutex);
    return given->given;
  }
  static bool all_ok(const Result<std::vector<Status>>& reports) {
    return reports.ok() && std::all_of(reports->begin(), reports->end(),
                                       [](const Status& status) { return status.ok(); });
  }
  bool all_reported(Duration timeout = seconds(30)) {
    return eventually(
        [this] {
          MutexLock lock(mutex);
          return reports == sent;
        },
        timeout);
  }

  MockCluster cluster;
  ClientConfig client;
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  Mutex mutex;
  int sent = 0;
  int reports = 0;
  int written = 0;
  std::vector<Error> failures;
  std::unique_ptr<Producer> producer;  // First to go: its reports come here.
};

// A record of ours that cannot be written says nothing about the data: it is never dead-lettered.
TEST(KafkaProducer, AMistakeOfOurOwnIsNotOfKindData) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  const std::uint64_t bugs = bug_count();
  const auto with_headers = [] {
    Record record;
    record.topic = "t";
    record.payload = Bytes("x");
    for (int i = 0; i < 11; ++i) record.headers.emplace_back("name", "value");
    return record;
  };
  std::vector<Record> request;
  request.push_back(with_headers());
  const Status refused =
      fixture.producer->produce_all(std::move(request), [](std::size_t, Status) { FAIL(); });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().refusal, Refusal::kUnknown);
  Status reported = ok_status();
  fixture.producer->produce(with_headers(),
                            [&reported](Status status) { reported = std::move(status); });
  ASSERT_FALSE(reported.ok());
  EXPECT_EQ(reported.error().refusal, Refusal::kUnknown);
  EXPECT_EQ(bug_count(), bugs + 2) << "counted, so that every end-to-end test fails with it";
  fixture.produce("next");
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 1);
}

TEST(KafkaProducer, WritesAndReportsEveryRecord) {
  ProducerFixture fixture;
  EXPECT_FALSE(fixture.producer->partition_count("t").ok()) << "no broker has answered yet";
  ASSERT_TRUE(fixture.ready());
  EXPECT_EQ(*fixture.producer->partition_count("t"), 4);
  EXPECT_TRUE(fixture.producer->connected_once());
  EXPECT_TRUE(fixture.producer->reachable());
  for (int i = 0; i < 200; ++i) fixture.produce("record-" + std::to_string(i), i % 4);
  EXPECT_TRUE(fixture.producer->drain(Deadline::after(system_clock(), seconds(20))));
  EXPECT_EQ(fixture.reports, 200);
  EXPECT_EQ(fixture.written, 200);
  EXPECT_EQ(fixture.producer->queue_bytes(), 0u);
  const auto records = fixture.cluster.records("t", 4);
  EXPECT_EQ(records.size(), 200u);
  EXPECT_EQ(std::set<std::string>(records.begin(), records.end()).size(), 200u);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

// librdkafka as released spins here (ci/deps/librdkafka-no-spin.patch).
TEST(KafkaProducer, SleepsWhileASlowBrokerHasAllThatMayBeInFlight) {
  // Five messages of a partition may be in flight: one batch at a time.
  ProducerFixture fixture({}, {{"batch.num.messages", "5"}});
  ASSERT_TRUE(fixture.ready());
  fixture.produce("opens the connection");
  ASSERT_TRUE(fixture.all_reported());
  fixture.cluster.set_delay(500);
  const SteadyTime start = system_clock().now();
  const double cpu_before = cpu_seconds();
  for (int i = 0; i < 15; ++i) fixture.produce("record-" + std::to_string(i));
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 16);
  const double took = std::chrono::duration<double>(system_clock().now() - start).count();
  EXPECT_GT(took, 1.2) << "the batches did not have to wait for each other";
  EXPECT_LT((cpu_seconds() - cpu_before) / took, 0.1) << "of a core";
}

// True when a thread of this process is named `name` and is a batch thread.
bool gives_way(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string found;
    std::getline(std::ifstream(task.path() / "comm"), found);
    const pid_t id = std::stoi(task.path().filename());
    if (found.starts_with(name) && sched_getscheduler(id) == SCHED_BATCH) return true;
  }
  return false;
}

TEST(KafkaProducer, BrokersThreadsDoNotInterruptOurs) {
  EXPECT_FALSE(gives_way("rdk:"));
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  EXPECT_TRUE(gives_way("rdk:broker"));
  EXPECT_FALSE(gives_way("kafka-"));
}

TEST(KafkaProducer, RetriesWhatBrokersMendWithoutWritingTwice) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.fail_next(MockCluster::kProduce,
                            {kNotEnoughReplicas, kRequestTimedOut, kNotLeader, kTransport,
                             kNotEnoughReplicasAfterAppend, kCorruptMessage});
  for (int i = 0; i < 100; ++i) fixture.produce("record-" + std::to_string(i), i % 4);
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 100);
  const auto records = fixture.cluster.records("t", 4);
  EXPECT_EQ(std::set<std::string>(records.begin(), records.end()).size(), 100u);
  EXPECT_EQ(records.size(), 100u) << "idempotent: written once";
}

TEST(KafkaProducer, ABrokersRefusalHasItsKind) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.fail_next(MockCluster::kProduce, {kMessageTooLarge});
  fixture.produce("a");
  ASSERT_TRUE(fixture.all_reported());
  ASSERT_EQ(fixture.failures.size(), 1u);
  EXPECT_EQ(fixture.failures[0].refusal, Refusal::kData) << fixture.failures[0].message;
  fixture.cluster.fail_next(MockCluster::kProduce, {kTopicAuthorizationFailed});
  fixture.produce("b");
  ASSERT_TRUE(fixture.all_reported());
  ASSERT_EQ(fixture.failures.size(), 2u);
  EXPECT_EQ(fixture.failures[1].refusal, Refusal::kConfiguration);
  EXPECT_EQ(fixture.failures[1].code, Code::kPermissionDenied);
}

TEST(KafkaProducer, ATopicIsWrittenAgainSoonAfterItWasAllowed) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.fail_next(MockCluster::kProduce, {kTopicAuthorizationFailed});
  EXPECT_TRUE(eventually(
      [&] {
        fixture.produce("again");
        return fixture.all_reported() && fixture.written > 0;
      },
      seconds(5)));
}

TEST(KafkaProducer, ARecordTooLargeIsRefusedAtOnce) {
  ProducerConfig config;
  config.record_bytes_max = {64u << 10};
  ProducerFixture fixture(config);
  ASSERT_TRUE(fixture.ready());
  fixture.produce(std::string(200u << 10, 'x'));
  EXPECT_EQ(fixture.reports, 1) << "before produce() returned";
  ASSERT_EQ(fixture.failures.size(), 1u);
  EXPECT_EQ(fixture.failures[0].refusal, Refusal::kData);
  EXPECT_STREQ(fixture.failures[0].reason, "kafka_record_too_large");
}

TEST(KafkaProducer, AnOutageIsTransientAndPasses) {
  ProducerConfig config;
  config.message_timeout = seconds(2);
  ProducerFixture fixture(config);
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.set_all(false);
  fixture.produce("lost-connection");
  ASSERT_TRUE(fixture.all_reported());
  ASSERT_EQ(fixture.failures.size(), 1u);
  EXPECT_EQ(fixture.failures[0].refusal, Refusal::kTransient);
  EXPECT_TRUE(fixture.failures[0].retry_after.has_value());
  EXPECT_TRUE(eventually([&] { return !fixture.producer->reachable(); }));
  EXPECT_TRUE(fixture.producer->connected_once()) << "latched";
  EXPECT_EQ(*fixture.producer->partition_count("t"), 4) << "the last known count stays";
  EXPECT_NE(fixture.producer->last_error(), "");
  fixture.cluster.set_all(true);
  EXPECT_TRUE(eventually([&] { return fixture.producer->reachable(); }, seconds(10)));
  fixture.produce("again");
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 1);
  EXPECT_EQ(fixture.producer->last_error(), "");
}

TEST(KafkaProducer, AShortOutageIsBridged) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.set_all(false);
  fixture.produce("patient");
  fixture.cluster.set_all(true);
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 1);
}

TEST(KafkaProducer, LeadersMayMove) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  for (int round = 0; round < 12; ++round) {
    fixture.cluster.set_leader("t", round % 4, 1 + round % 3);
    for (int i = 0; i < 20; ++i) {
      fixture.produce(std::to_string(round) + "-" + std::to_string(i), i % 4);
    }
  }
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.written, 240);
  const auto records = fixture.cluster.records("t", 4);
  EXPECT_EQ(records.size(), 240u);
  EXPECT_EQ(std::set<std::string>(records.begin(), records.end()).size(), 240u);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_producer_rebuilds_total"), 0);
}

// Idempotence lost: the handle is of no more use, the producer is.
TEST(KafkaProducer, IsRebuiltAfterAFatalError) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.produce("before");
  ASSERT_TRUE(fixture.all_reported());
  fixture.cluster.fail_next(MockCluster::kProduce, {kOutOfOrderSequence});
  for (int i = 0; i < 20; ++i) fixture.produce("victim-" + std::to_string(i), i % 4);
  ASSERT_TRUE(fixture.all_reported());
  for (const Error& failure : fixture.failures) {
    EXPECT_EQ(failure.refusal, Refusal::kTransient) << failure.message;
  }
  EXPECT_GE(fixture.failures.size(), 1u);
  EXPECT_TRUE(eventually(
      [&] { return fixture.metrics.value("spanway_kafka_producer_rebuilds_total") == 1; }));
  // The new one needs a moment; refusals until then are transient.
  EXPECT_TRUE(eventually([&] {
    const int before = fixture.written;
    fixture.produce("after");
    return fixture.all_reported() && fixture.written > before;
  }));
  for (const Error& failure : fixture.failures) {
    EXPECT_EQ(failure.refusal, Refusal::kTransient) << failure.message;
  }
}

TEST(KafkaProducer, AFullQueueIsReportedAtOnce) {
  ProducerConfig config;
  config.queue_bytes_max = {1u << 20};
  config.message_timeout = seconds(2);
  ProducerFixture fixture(config);
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.set_all(false);
  for (int i = 0; i < 20; ++i) fixture.produce(std::string(100'000, 'x'));
  EXPECT_GT(fixture.reports, 0) << "without waiting";
  ASSERT_FALSE(fixture.failures.empty());
  EXPECT_STREQ(fixture.failures[0].reason, "kafka_queue_full");
  EXPECT_EQ(fixture.failures[0].refusal, Refusal::kTransient);
  EXPECT_LE(fixture.producer->queue_bytes(), std::size_t{1} << 20);
  ASSERT_TRUE(fixture.all_reported());
}

TEST(KafkaProducer, ARequestIsWrittenEntirelyOrRefusedWhenTheQueueIsNearlyFull) {
  ProducerConfig config;
  config.queue_bytes_max = {1u << 20};
  ProducerFixture fixture(config);
  ASSERT_TRUE(fixture.ready());
  ASSERT_TRUE(ProducerFixture::all_ok(fixture.produce_everywhere(10)));
  fixture.cluster.set_delay(200);
  fixture.produce(std::string(700'000, 'y'));
  const auto refused = fixture.produce_everywhere(100'000);  // Three of the four would fit.
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "kafka_queue_full");
  ASSERT_TRUE(fixture.all_reported());
  EXPECT_EQ(fixture.cluster.record_count("t", 4), 5);
  EXPECT_TRUE(ProducerFixture::all_ok(fixture.produce_everywhere(100'000)));
  EXPECT_EQ(fixture.cluster.record_count("t", 4), 9);
}

// Every retry of such a request would write its other partitions again otherwise.
TEST(KafkaProducer, WhileOneLeaderIsOutOfReachRetriesWriteNothing) {
  ProducerConfig config;
  config.message_timeout = seconds(3);
  ProducerFixture fixture(config);
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    fixture.cluster.set_leader("t", partition, partition == 2 ? 1 : 2);
  }
  ASSERT_TRUE(fixture.ready());
  ASSERT_TRUE(ProducerFixture::all_ok(fixture.produce_everywhere(10)));
  fixture.cluster.set_down(1);
  EXPECT_FALSE(ProducerFixture::all_ok(fixture.produce_everywhere(10))) << "was in flight";
  for (int retry = 0; retry < 3; ++retry) {
    EXPECT_FALSE(ProducerFixture::all_ok(fixture.produce_everywhere(10)));
  }
  fixture.cluster.set_up(1);
  EXPECT_TRUE(eventually([&] { return ProducerFixture::all_ok(fixture.produce_everywhere(10)); },
                         seconds(20)));
  EXPECT_EQ(fixture.cluster.record_count("t", 4), 4 + 3 + 4) << "before, in flight, afterwards";
  EXPECT_TRUE(fixture.producer->drain(Deadline::after(system_clock(), seconds(5))));
}

TEST(KafkaProducer, ReportsAMissingTopic) {
  ProducerFixture fixture;
  fixture.cluster.set_topic_error("gone", kUnknownTopic);
  ASSERT_TRUE(fixture.ready());
  EXPECT_TRUE(eventually([&] {
    const auto count = fixture.producer->partition_count("gone");
    return !count.ok() && count.error().code == Code::kNotFound;
  }));
}

TEST(KafkaProducer, WithoutABrokerItIsNotReady) {
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ClientConfig client;
  client.brokers = {"127.0.0.1:1"};
  auto created = Producer::create(client, {}, system_clock(), {log, metrics});
  ASSERT_TRUE(created.ok());
  const auto count = (*created)->partition_count("t");
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(count.error().code, Code::kUnavailable);
  EXPECT_FALSE((*created)->connected_once());
  EXPECT_FALSE((*created)->reachable());
}

TEST(KafkaProducer, BadSettingsAreAnErrorAtTheStart) {
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ClientConfig client;
  client.tls.enabled = true;
  client.tls.ca_file = "/does/not/exist.pem";
  const auto created = Producer::create(client, {}, system_clock(), {log, metrics});
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().refusal, Refusal::kConfiguration);
}

TEST(KafkaProducer, ReportsEverythingBeforeItGoes) {
  ProducerFixture fixture;
  ASSERT_TRUE(fixture.ready());
  fixture.cluster.set_all(false);
  for (int i = 0; i < 50; ++i) fixture.produce("never", i % 4);
  fixture.producer.reset();
  EXPECT_EQ(fixture.reports, 50);
  EXPECT_EQ(fixture.written, 0);
  for (const Error& failure : fixture.failures) EXPECT_EQ(failure.refusal, Refusal::kTransient);
}

}  // namespace
}  // namespace spanway::kafka
