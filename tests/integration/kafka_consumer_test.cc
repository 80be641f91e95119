// The consumer against librdkafka's mock cluster: what the group assigns is read, whatever else the
// group changes meanwhile.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "services/lib/base/loop.h"
#include "services/lib/kafka/consumer.h"
#include "tests/fakes/eventually.h"
#include "tests/integration/mock_cluster.h"

namespace spanway::kafka {
namespace {

using fakes::eventually;
using fakes::MockCluster;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kUnknownTopic = 3;         // UNKNOWN_TOPIC_OR_PARTITION.
constexpr int kGroupNotAuthorized = 30;  // GROUP_AUTHORIZATION_FAILED: not tried again inside.

// Keeps which partitions were read to their end. Thread-safe.
class Listener final : public ConsumerListener {
 public:
  void on_assigned(const TopicPartition&, const StartPosition&) override {}
  bool on_record(const TopicPartition&, const RecordView&) override { return true; }
  void on_revoked(const std::vector<TopicPartition>&, std::function<void()> done) override {
    done();
  }
  void on_lost(const std::vector<TopicPartition>&) override {}
  void on_end(const TopicPartition& partition, std::int64_t) override {
    MutexLock lock(mutex_);
    read_.insert(partition);
  }
  void on_gap(const TopicPartition&, std::int64_t, std::int64_t, std::uint64_t) override {}
  void on_error(const Error&) override {}
  void on_fatal(const Error&) override {}

  std::set<TopicPartition> read() const {
    MutexLock lock(mutex_);
    return read_;
  }

 private:
  mutable Mutex mutex_;
  std::set<TopicPartition> read_ SPANWAY_GUARDED_BY(mutex_);
};

// A topic that comes while the starts of others are being looked up makes the group assign anew.
TEST(KafkaConsumer, ATopicThatComesWhileStartsAreLookedUpTakesNoPartitionAway) {
  MockCluster cluster(1);
  cluster.create_topic("old", 2, 1);
  cluster.create_topic("new", 2, 1);
  cluster.set_topic_error("new", kUnknownTopic);
  cluster.fail_next(MockCluster::kOffsetFetch, std::vector<int>(1000, kGroupNotAuthorized));
  const auto lookups = [&cluster] { return cluster.count_requests(MockCluster::kOffsetFetch); };
  ASSERT_EQ(lookups(), 0u);

  ClientConfig client;
  client.brokers = cluster.brokers();
  client.librdkafka["topic.metadata.refresh.interval.ms"] = "100";
  ConsumerConfig config;
  config.group = "group";
  // The mock coordinator waits so long, but for a second, at a rebalance.
  config.session_timeout = seconds(3);
  config.heartbeat_interval = milliseconds(100);
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  Loop loop("consumer", system_clock());
  Listener listener;
  auto consumer = Consumer::create(client, config, {"old", "new"}, loop, listener, {log, metrics});
  ASSERT_TRUE(consumer.ok());
  loop.post([&consumer] { EXPECT_TRUE((*consumer)->start().ok()); });
  EXPECT_TRUE(eventually([&] { return lookups() > 0; })) << "the old topic is assigned";

  cluster.set_topic_error("new", 0);
  const std::size_t before = lookups();
  EXPECT_TRUE(eventually([&] { return lookups() > before + 8; }));
  EXPECT_TRUE(listener.read().empty());
  cluster.fail_no_more(MockCluster::kOffsetFetch);
  const std::set<TopicPartition> all{{"old", 0}, {"old", 1}, {"new", 0}, {"new", 1}};
  EXPECT_TRUE(eventually([&] { return listener.read() == all; }));
  for (const TopicPartition& partition : listener.read()) {
    EXPECT_TRUE(all.count(partition) > 0) << partition.topic << " " << partition.partition;
  }

  loop.post([&consumer] { (*consumer)->close(); });
  loop.stop();
}

}  // namespace
}  // namespace spanway::kafka
