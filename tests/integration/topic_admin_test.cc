// TopicAdmin and TopicWatch against librdkafka's mock cluster.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "services/kafka-bridge/topic_watch.h"
#include "services/lib/kafka/admin.h"
#include "tests/fakes/eventually.h"
#include "tests/integration/mock_cluster.h"

namespace spanway::kafka {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TopicSpec spec_of(const std::string& name) {
  TopicSpec spec;
  spec.name = name;
  return spec;
}

// librdkafka's main threads of this process, one for each client.
std::set<std::string> client_threads() {
  std::set<std::string> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream file(task.path() / "comm");
    if (std::getline(file, name) && name == "rdk:main") threads.insert(task.path().filename());
  }
  return threads;
}

TEST(TopicAdmin, CancelEndsARequestThatNoBrokerAnswers) {
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ClientConfig client;
  client.brokers = {"127.0.0.1:1"};
  TopicAdmin admin(client, system_clock(), {log, metrics});
  std::thread canceller([&] { admin.cancel(); });
  const auto reports =
      admin.apply({spec_of("t")}, TopicChanges::kNone, Deadline::after(system_clock(), hours(1)));
  canceller.join();
  ASSERT_FALSE(reports.ok());
  EXPECT_EQ(reports.error().reason, std::string("stopping"));
  EXPECT_FALSE(admin.read_settings("t", Deadline::after(system_clock(), hours(1))).ok());
}

TEST(TopicAdmin, DescribesWithoutCreating) {
  fakes::MockCluster cluster;
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ClientConfig client;
  client.brokers = cluster.brokers();
  TopicAdmin admin(client, system_clock(), {log, metrics});
  for (int round = 0; round < 2; ++round) {
    const auto reports = admin.apply({spec_of("missing")}, TopicChanges::kNone,
                                     Deadline::after(system_clock(), std::chrono::seconds(30)));
    ASSERT_TRUE(reports.ok()) << reports.error().message;
    ASSERT_EQ(reports->size(), 1u);
    EXPECT_EQ((*reports)[0].action, TopicReport::Action::kFailed);
    EXPECT_EQ((*reports)[0].error, "topic missing does not exist");
    admin.disconnect();
  }
}

TEST(TopicWatch, AMissingTopicCostsOneClientHoweverOftenItIsRequested) {
  fakes::MockCluster cluster;
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ClientConfig client;
  client.brokers = cluster.brokers();
  TopicAdmin admin(client, system_clock(), {log, metrics});
  std::atomic<int> rounds{0};
  std::set<std::string> threads;  // Written by the watching thread, read after it has ended.
  const std::set<std::string> before = client_threads();
  kafka_bridge::TopicWatch watch(
      {[&](TopicChanges changes, Duration timeout) {
         auto reports =
             admin.apply({spec_of("missing")}, changes, Deadline::after(system_clock(), timeout));
         for (const std::string& thread : client_threads()) {
           if (before.count(thread) == 0) threads.insert(thread);
         }
         ++rounds;
         return reports;
       },
       [&] { admin.disconnect(); }, [&] { admin.cancel(); }},
      [](const kafka_bridge::TopicWatch::Reports&) {}, {log, metrics},
      {.retry = milliseconds(1), .incomplete = milliseconds(1), .complete = hours(1)});
  watch.start(false, false);
  EXPECT_TRUE(fakes::eventually([&] { return rounds >= 5; }));
  watch.stop();
  EXPECT_EQ(threads.size(), 1u);
}

}  // namespace
}  // namespace spanway::kafka
