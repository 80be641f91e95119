#include "operator/decide/lag_scaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "operator/render/render.h"
#include "services/lib/base/random.h"

namespace spanway::reconcile {
namespace {

constexpr std::int64_t kStartMs = 1'800'000'000'000;

api::LagAutoscaling rules(std::int64_t min, std::int64_t max) {
  return {.min_replicas = min,
          .max_replicas = max,
          .target_lag_seconds = 30,
          .scale_down_stabilization_seconds = 300};
}

std::vector<PartitionReport> even_lag(std::int64_t partitions, double seconds) {
  std::vector<PartitionReport> reports;
  for (std::int64_t i = 0; i < partitions; ++i) {
    PartitionReport report;
    report.topic = "otel.traces";
    report.partition = static_cast<std::int32_t>(i);
    report.lag_seconds = seconds;
    reports.push_back(report);
  }
  return reports;
}

// A group of consumers by the second: each can read `per_consumer` records a second, records come
// at `load` a second, and a rebalance stops all of them for a moment.
class Group {
 public:
  Group(api::LagAutoscaling scaling, std::int64_t partitions, double per_consumer)
      : scaling_(scaling), per_consumer_(per_consumer) {
    backlog_.resize(static_cast<std::size_t>(partitions));
    share_.assign(backlog_.size(), 1.0 / static_cast<double>(partitions));
    replicas_ = scaling.min_replicas;
  }

  void run(std::int64_t seconds, const std::function<double(std::int64_t)>& load) {
    for (std::int64_t i = 0; i < seconds; ++i, ++second_) {
      step(load(second_));
      if (second_ % 10 == 0) scale();
    }
  }

  double worst_lag(double load) const {
    double worst = 0;
    for (std::size_t i = 0; i < backlog_.size(); ++i) {
      worst = std::max(worst, lag_of(i, load));
    }
    return worst;
  }
  void make_hot(std::size_t partition, double share) {
    for (double& one : share_) one = (1 - share) / static_cast<double>(share_.size() - 1);
    share_[partition] = share;
  }
  void stall_all(bool stalled) { stalled_ = stalled; }
  void lose_reports(bool lost) { lost_ = lost; }

  std::int64_t replicas() const { return replicas_; }
  int changes = 0;
  int ups = 0;
  int downs = 0;
  LagScalerDecision last;

 private:
  double lag_of(std::size_t partition, double load) const {
    return backlog_[partition] / std::max(0.001, load * share_[partition]);
  }

  void step(double load) {
    load_ = load;
    const std::size_t consumers = static_cast<std::size_t>(replicas_);
    for (std::size_t i = 0; i < backlog_.size(); ++i) backlog_[i] += load * share_[i];
    if (stalled_ || second_ < paused_until_) return;
    for (std::size_t consumer = 0; consumer < consumers; ++consumer) read_some(consumer, consumers);
  }

  void read_some(std::size_t consumer, std::size_t consumers) {
    double all = 0;
    double most = 0;
    for (std::size_t i = consumer; i < backlog_.size(); i += consumers) {
      all += backlog_[i];
      most = std::max(most, backlog_[i]);
    }
    const bool everything = all <= per_consumer_ && most <= per_partition_max_;
    left_of_.assign(backlog_.size(), per_partition_max_);
    double left = per_consumer_;
    for (int pass = 0; pass < 3 && left > 0; ++pass) {
      // First the same for each of its partitions, then what the others leave.
      const double fair = everything || pass == 2
                              ? left
                              : left / std::ceil(static_cast<double>(backlog_.size()) /
                                                 static_cast<double>(consumers));
      for (std::size_t i = consumer; i < backlog_.size(); i += consumers) {
        const double read = std::min({backlog_[i], fair, left, left_of_[i]});
        backlog_[i] -= read;
        left_of_[i] -= read;
        left -= read;
      }
      if (everything) return;
    }
  }

  void scale() {
    LagScalerInput input;
    input.rules = scaling_;
    input.replicas = replicas_;
    input.partitions = static_cast<std::int64_t>(backlog_.size());
    input.complete = !lost_;
    input.now_ms = kStartMs + second_ * 1000;
    if (!lost_) {
      input.lag = even_lag(input.partitions, 0);
      for (std::size_t i = 0; i < backlog_.size(); ++i) {
        input.lag[i].lag_seconds = lag_of(i, load_);
        input.lag[i].stalled = stalled_;
      }
    }
    last = scale_by_lag(input, memory_);
    memory_ = last.memory;
    check(input);
    if (last.replicas == replicas_) return;
    ++changes;
    ++(last.replicas > replicas_ ? ups : downs);
    replicas_ = last.replicas;
    paused_until_ = second_ + 6;
  }

  void check(const LagScalerInput& input) const {
    EXPECT_GE(last.replicas, scaling_.min_replicas);
    EXPECT_LE(last.replicas, scaling_.max_replicas);
    EXPECT_LE(last.replicas, input.partitions);
    EXPECT_LE(last.replicas, 2 * input.replicas) << "a bounded step";
    EXPECT_GE(last.replicas * 2, input.replicas) << "a bounded step";
    if (lost_) {
      EXPECT_EQ(last.replicas, input.replicas);
    }
  }

 public:
  double per_partition_max_ = 1e9;

 private:
  const api::LagAutoscaling scaling_;
  const double per_consumer_;
  std::vector<double> backlog_;
  std::vector<double> share_;
  std::vector<double> left_of_;
  std::int64_t replicas_ = 1;
  std::int64_t second_ = 1;
  std::int64_t paused_until_ = 0;
  bool stalled_ = false;
  bool lost_ = false;
  double load_ = 0;
  LagScalerMemory memory_;
};

std::function<double(std::int64_t)> steady(double load) {
  return [load](std::int64_t) { return load; };
}

TEST(LagScaler, AStepOfLoadIsMetAndStays) {
  Group group(rules(1, 12), 12, 100);
  group.run(300, steady(50));
  EXPECT_EQ(group.replicas(), 1);
  group.run(1200, steady(550));
  EXPECT_GE(group.replicas(), 6);
  EXPECT_LT(group.worst_lag(550), 30);
  const int before = group.changes;
  group.run(3600, steady(550));
  EXPECT_EQ(group.changes, before) << "no flapping when the load does not move";
}

TEST(LagScaler, ARampIsFollowedInEvenCounts) {
  Group group(rules(1, 12), 12, 100);
  std::vector<std::int64_t> seen;
  for (int minute = 0; minute < 120; ++minute) {
    group.run(60, steady(100.0 + 8 * minute));
    if (seen.empty() || seen.back() != group.replicas()) seen.push_back(group.replicas());
  }
  for (const std::int64_t replicas : seen) EXPECT_EQ(12 % replicas, 0) << replicas;
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(group.replicas(), 12);
  EXPECT_EQ(group.downs, 0);
}

TEST(LagScaler, WhenTheLoadGoesItGoesDownStepByStep) {
  Group group(rules(1, 12), 12, 100);
  group.run(3000, steady(1000));
  ASSERT_EQ(group.replicas(), 12);
  group.run(290, steady(1));
  EXPECT_EQ(group.downs, 0) << "not before the stabilization time";
  group.run(7200, steady(1));
  EXPECT_EQ(group.replicas(), 1);
  EXPECT_EQ(group.downs, 5) << "6, 4, 3, 2, 1";
}

TEST(LagScaler, AStepDownThatWasWrongIsNotRepeatedSoon) {
  // Six can just not do what twelve do.
  Group group(rules(1, 12), 12, 100);
  group.run(86'400, steady(640));
  EXPECT_GE(group.downs, 1);
  EXPECT_LE(group.downs, 24) << "a day";
}

TEST(LagScaler, AStalledDestinationGetsNoMoreConsumersNorFewer) {
  Group group(rules(2, 12), 12, 100);
  group.run(300, steady(100));
  group.stall_all(true);
  group.run(3600, steady(100));
  EXPECT_EQ(group.changes, 0);
  EXPECT_TRUE(group.last.limited);
  EXPECT_EQ(group.last.reason, "DestinationStalled");
  group.stall_all(false);
  group.run(3600, steady(100));
  EXPECT_FALSE(group.last.limited);
}

TEST(LagScaler, AHotPartitionGetsNoMoreConsumers) {
  Group group(rules(2, 12), 12, 1000);
  group.per_partition_max_ = 50;
  group.make_hot(3, 0.5);
  group.run(3600, steady(200));
  EXPECT_EQ(group.replicas(), 2);
  EXPECT_EQ(group.last.reason, "HotPartition");
  EXPECT_TRUE(group.last.limited);
}

TEST(LagScaler, WithoutReportsNothingChanges) {
  Group group(rules(1, 12), 12, 100);
  group.run(600, steady(550));
  const std::int64_t before = group.replicas();
  group.lose_reports(true);
  group.run(3600, steady(1));
  EXPECT_EQ(group.replicas(), before);
  EXPECT_EQ(group.last.reason, "NoReports");
  group.lose_reports(false);
  group.run(290, steady(1));
  EXPECT_EQ(group.replicas(), before)
      << "a lag that was low before the reports were lost counts no more";
}

TEST(LagScaler, RebalanceNoiseMovesNothing) {
  Random random(7);
  LagScalerMemory memory;
  for (int i = 0; i < 5000; ++i) {
    LagScalerInput input;
    input.rules = rules(1, 12);
    input.replicas = 4;
    input.partitions = 12;
    input.complete = random.next_below(5) != 0;
    // A partition that moves is reported twice, or not at all, and with a lag that jumps once.
    input.lag = even_lag(12, 12);
    if (random.next_below(8) == 0) input.lag[3].lag_seconds = 45;
    if (random.next_below(3) == 0) input.lag.push_back(input.lag[5]);
    if (random.next_below(3) == 0) input.lag.pop_back();
    input.now_ms = kStartMs + i * 10'000;
    const LagScalerDecision decision = scale_by_lag(input, memory);
    ASSERT_EQ(decision.replicas, 4) << i;
    memory = decision.memory;
  }
}

TEST(LagScaler, RandomGroupsKeepTheRules) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto partitions = static_cast<std::int64_t>(1 + random.next_below(40));
    const auto min = static_cast<std::int64_t>(
        1 + random.next_below(static_cast<std::uint64_t>(std::min<std::int64_t>(3, partitions))));
    const auto max = min + static_cast<std::int64_t>(random.next_below(30));
    Group group(rules(min, max), partitions, 100);
    for (int phase = 0; phase < 8; ++phase) {
      group.lose_reports(random.next_below(6) == 0);
      group.stall_all(random.next_below(6) == 0);
      const double load = random.next_unit() * 3000;
      group.run(600, [&](std::int64_t) { return load * (0.9 + 0.2 * random.next_unit()); });
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
    }
    group.lose_reports(false);
    group.stall_all(false);
    const int before = group.changes;
    group.run(4 * 3600, steady(90));
    EXPECT_LE(group.changes - before, 16) << "seed " << seed;
  }
}

class LagScalerRules : public ::testing::Test {
 protected:
  // Two samples, as it takes to see that the lag does not shrink.
  LagScalerDecision decide_twice() {
    LagScalerDecision decision = scale_by_lag(input_, {});
    input_.now_ms += 10'000;
    decision = scale_by_lag(input_, decision.memory);
    return decision;
  }
  LagScalerRules() {
    input_.rules = rules(1, 100);
    input_.complete = true;
    input_.now_ms = kStartMs;
  }
  void set(std::int64_t replicas, std::int64_t partitions, double lag) {
    input_.replicas = replicas;
    input_.partitions = partitions;
    input_.lag = even_lag(partitions, lag);
  }
  LagScalerInput input_;
};

TEST_F(LagScalerRules, PrefersCountsThatDivideThePartitions) {
  struct Case {
    std::int64_t replicas, partitions;
    double lag;
    std::int64_t expected;
  };
  for (const Case& c :
       {Case{1, 12, 45, 2}, Case{2, 12, 45, 3}, Case{3, 12, 45, 6}, Case{4, 12, 45, 6},
        Case{6, 12, 45, 12}, Case{4, 12, 300, 6}, Case{2, 10, 300, 4}, Case{4, 7, 300, 7},
        Case{5, 36, 31, 6}, Case{1, 1, 300, 1}}) {
    set(c.replicas, c.partitions, c.lag);
    EXPECT_EQ(decide_twice().replicas, c.expected)
        << c.replicas << " of " << c.partitions << " at " << c.lag << " s";
  }
}

TEST_F(LagScalerRules, ACountThatWasTooFewIsNotGoneBackToForALongTime) {
  set(3, 12, 45);
  LagScalerDecision decision = decide_twice();
  ASSERT_EQ(decision.replicas, 6);
  const std::int64_t raised_at = input_.now_ms;
  const auto low_until = [&](std::int64_t ms) {
    while (input_.now_ms < raised_at + ms && decision.replicas == input_.replicas) {
      input_.now_ms += 10'000;
      decision = scale_by_lag(input_, decision.memory);
    }
    return decision.replicas;
  };
  set(6, 12, 0);
  decision.replicas = 6;
  EXPECT_EQ(low_until(400'000), 4) << "more than the three that were too few";
  set(4, 12, 0);
  EXPECT_EQ(low_until(16 * 300'000 - 10'000), 4);
  EXPECT_EQ(low_until(16 * 300'000 + 10'000), 3);
}

TEST_F(LagScalerRules, AfterAChangeNothingIsDecidedForTwoSessionTimeouts) {
  for (const std::int64_t session : {6, 20, 45}) {
    input_.now_ms = kStartMs;
    input_.session_timeout = std::chrono::seconds(session);
    set(2, 12, 45);
    LagScalerDecision decision = decide_twice();
    ASSERT_EQ(decision.replicas, 3);
    const std::int64_t changed_at = input_.now_ms;
    set(3, 12, 300);
    input_.now_ms = changed_at + 2000 * session - 1;
    decision = scale_by_lag(input_, decision.memory);
    EXPECT_EQ(decision.reason, "Settling") << session;
    input_.now_ms = changed_at + 2000 * session;
    decision = scale_by_lag(input_, decision.memory);
    EXPECT_NE(decision.reason, "Settling") << session;
  }
}

TEST(LagScalerSession, IsThatOfTheConsumersConfiguration) {
  api::Exporter exporter;
  EXPECT_EQ(render::session_timeout(exporter), std::chrono::seconds(20));
  exporter.consumer.config = {{"consumer", {{"session_timeout", "45s"}}}};
  EXPECT_EQ(render::session_timeout(exporter), std::chrono::seconds(45));
}

TEST_F(LagScalerRules, OneSampleIsNoTrend) {
  set(2, 12, 300);
  EXPECT_EQ(scale_by_lag(input_, {}).replicas, 2);
}

TEST_F(LagScalerRules, ALagThatShrinksIsWaitedFor) {
  set(2, 12, 300);
  LagScalerDecision decision = scale_by_lag(input_, {});
  input_.lag = even_lag(12, 250);
  input_.now_ms += 10'000;
  decision = scale_by_lag(input_, decision.memory);
  EXPECT_EQ(decision.replicas, 2);
}

TEST_F(LagScalerRules, LimitsAreReportedWithTheirReason) {
  set(12, 12, 300);
  LagScalerDecision decision = decide_twice();
  EXPECT_TRUE(decision.limited);
  EXPECT_EQ(decision.reason, "AtPartitionCount");
  EXPECT_NE(decision.message.find("12 partitions"), std::string::npos) << decision.message;
  input_.rules = rules(1, 4);
  set(4, 12, 300);
  decision = decide_twice();
  EXPECT_EQ(decision.reason, "AtMaxReplicas");
  // Eight are no better than six, and both are too many.
  input_.rules = rules(1, 5);
  set(4, 12, 300);
  EXPECT_EQ(decide_twice().reason, "AtMaxReplicas");
}

TEST_F(LagScalerRules, ALimitStaysReportedWhileTheLagWobbles) {
  set(12, 12, 40);
  LagScalerDecision decision = decide_twice();
  for (const double lag : {29.0, 31.0, 20.0, 33.0, 16.0}) {
    input_.lag = even_lag(12, lag);
    input_.now_ms += 10'000;
    decision = scale_by_lag(input_, decision.memory);
    EXPECT_EQ(decision.reason, "AtPartitionCount") << lag;
  }
  input_.lag = even_lag(12, 14);
  input_.now_ms += 10'000;
  EXPECT_FALSE(scale_by_lag(input_, decision.memory).limited);
}

TEST_F(LagScalerRules, MinimumAbovePartitionsIsNoReasonForIdleConsumers) {
  input_.rules = rules(5, 8);
  set(5, 3, 0);
  const LagScalerDecision decision = scale_by_lag(input_, {});
  EXPECT_EQ(decision.replicas, 3);
}

TEST_F(LagScalerRules, BoundsHoldAtOnce) {
  input_.complete = false;
  input_.rules = rules(3, 6);
  input_.replicas = 1;
  EXPECT_EQ(scale_by_lag(input_, {}).replicas, 3);
  input_.replicas = 9;
  EXPECT_EQ(scale_by_lag(input_, {}).replicas, 6);
}

TEST_F(LagScalerRules, GoesUpOnTheLagOfThoseThatAnswerWhileOneIsSilent) {
  set(2, 12, 100);
  input_.lag.resize(6);
  input_.complete = false;
  EXPECT_GT(decide_twice().replicas, 2);
}

TEST_F(LagScalerRules, DoesNotGoDownWhileARunningConsumerIsSilent) {
  set(4, 12, 0);
  input_.lag.resize(9);
  input_.complete = false;
  LagScalerDecision decision;
  for (int i = 0; i < 100; ++i) {
    decision = scale_by_lag(input_, decision.memory);
    ASSERT_EQ(decision.replicas, 4);
    input_.now_ms += 10'000;
  }
  EXPECT_EQ(decision.reason, "NoReports");
}

TEST_F(LagScalerRules, PendingPodsAreTakenAwayWhenThoseThatRunAreEnough) {
  set(4, 12, 0);
  input_.pending = 1;
  LagScalerDecision decision;
  for (int i = 0; i < 100 && decision.reason != "ScaledDown"; ++i) {
    decision = scale_by_lag(input_, decision.memory);
    input_.now_ms += 10'000;
  }
  EXPECT_LT(decision.replicas, 4);
}

TEST_F(LagScalerRules, AddsNoPodsToThoseThatArePending) {
  set(4, 12, 100);
  input_.pending = 1;
  const LagScalerDecision decision = decide_twice();
  EXPECT_EQ(decision.replicas, 4);
  EXPECT_EQ(decision.reason, "PodsPending");
}

TEST_F(LagScalerRules, ATopicThatIsNotReportedTakesNoConsumersAway) {
  set(6, 12, 0);
  input_.partitions = 4;
  EXPECT_EQ(decide_twice().replicas, 6);
}

TEST_F(LagScalerRules, FollowsNoNumberThatIsNone) {
  set(2, 12, std::nan(""));
  EXPECT_EQ(decide_twice().replicas, 2);
  set(2, 12, -5);
  EXPECT_EQ(decide_twice().replicas, 2);
  set(2, 12, HUGE_VAL);
  EXPECT_EQ(decide_twice().replicas, 2);
}

TEST(LagBucket, Borders) {
  EXPECT_EQ(lag_bucket(0), "<10s");
  EXPECT_EQ(lag_bucket(9.99), "<10s");
  EXPECT_EQ(lag_bucket(10), "<1m");
  EXPECT_EQ(lag_bucket(60), "<10m");
  EXPECT_EQ(lag_bucket(600), "<1h");
  EXPECT_EQ(lag_bucket(3600), ">1h");
  EXPECT_EQ(lag_bucket(-1), "");
  EXPECT_EQ(lag_bucket(std::nan("")), "");
}

}  // namespace
}  // namespace spanway::reconcile
