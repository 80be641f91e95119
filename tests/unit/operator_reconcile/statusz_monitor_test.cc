#include "operator/reconcile/statusz_monitor.h"

#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

const kube::ObjectKey kP{"team", "p"};

class StatuszMonitorTest : public testing::Test {
 protected:
  void SetUp() override { put_pod("p-ingress-1", "10.0.0.1", true); }
  void put_pod(const char* name, const char* ip, bool has_track) {
    Json labels = {{"app.kubernetes.io/managed-by", "spanway-operator"},
                   {"spanway.dev/pipeline", "p"}};
    if (has_track) labels["spanway.dev/track"] = "stable";
    fixture_.kube.put(kube::kPods,
                      {{"metadata", {{"name", name}, {"namespace", "team"}, {"labels", labels}}},
                       {"status", {{"podIP", ip}}}});
    fixture_.sync();
  }
  ControllerFixture fixture_;
  int changes_ = 0;
  StatuszMonitor monitor_{fixture_.statusz, *fixture_.stores, fixture_.clock, MonitorTimes{},
                          [this](const kube::ObjectKey&) { ++changes_; }};
};

TEST_F(StatuszMonitorTest, PollsPodsThatServeAndNoneElse) {
  put_pod("p-topics-1", "10.0.0.2", false);
  put_pod("p-ingress-2", "", true);
  monitor_.set_pace(kP, true, false);
  monitor_.poll();
  EXPECT_EQ(fixture_.statusz.polled, 1u);
  EXPECT_TRUE(monitor_.reports(kP).by_pod.contains("p-ingress-1"));
}

TEST_F(StatuszMonitorTest, RequestsMoreOftenWhatMoves) {
  monitor_.set_pace(kP, false, false);
  monitor_.poll();
  fixture_.clock.advance(std::chrono::seconds(10));
  monitor_.poll();
  EXPECT_EQ(fixture_.statusz.polled, 1u);
  monitor_.set_pace(kP, true, false);
  monitor_.poll();
  EXPECT_EQ(fixture_.statusz.polled, 2u);
  monitor_.set_pace(kP, false, false);
  fixture_.clock.advance(std::chrono::seconds(30));
  monitor_.poll();
  EXPECT_EQ(fixture_.statusz.polled, 3u);
}

TEST_F(StatuszMonitorTest, SpeaksOnlyOfNews) {
  double lag = 1;
  bool reachable = true;
  fixture_.statusz.answer = [&](const std::string&) {
    decide::StatuszReport report;
    report.answered = true;
    report.destination_reachable = reachable;
    decide::PartitionReport& partition = report.partitions.emplace_back();
    partition.topic = "t";
    partition.lag_seconds = lag;
    return report;
  };
  const auto round = [&] {
    fixture_.clock.advance(std::chrono::seconds(30));
    monitor_.poll();
    return changes_;
  };
  monitor_.set_pace(kP, false, false);
  EXPECT_EQ(round(), 1);
  lag = 2;  // The same bucket.
  EXPECT_EQ(round(), 1);
  lag = 100;
  EXPECT_EQ(round(), 2);
  reachable = false;
  EXPECT_EQ(round(), 3);
  EXPECT_EQ(round(), 3);
  monitor_.set_pace(kP, false, true);
  EXPECT_EQ(round(), 4);
  EXPECT_EQ(round(), 5);
}

TEST_F(StatuszMonitorTest, ForgetsWhatIsGone) {
  monitor_.set_pace(kP, true, false);
  monitor_.poll();
  monitor_.forget(kP);
  EXPECT_EQ(monitor_.reports(kP).round, 0u);
  fixture_.clock.advance(std::chrono::minutes(1));
  monitor_.poll();
  EXPECT_EQ(fixture_.statusz.polled, 1u);
}

}  // namespace
}  // namespace spanway::reconcile
