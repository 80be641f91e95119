#include "operator/decide/lag_scaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "operator/render/render.h"
#include "services/lib/base/random.h"
#include "tests/unit/operator_decide/consumer_group_model.h"

namespace spanway::decide {
namespace {

TEST(LagScaler, AStepOfLoadIsMetAndStays) {
  ConsumerGroupModel group(rules(1, 12), 12, 100);
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
  ConsumerGroupModel group(rules(1, 12), 12, 100);
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
  ConsumerGroupModel group(rules(1, 12), 12, 100);
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
  ConsumerGroupModel group(rules(1, 12), 12, 100);
  group.run(86'400, steady(640));
  EXPECT_GE(group.downs, 1);
  EXPECT_LE(group.downs, 24) << "a day";
}

TEST(LagScaler, AStalledDestinationGetsNoMoreConsumersNorFewer) {
  ConsumerGroupModel group(rules(2, 12), 12, 100);
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
  ConsumerGroupModel group(rules(2, 12), 12, 1000);
  group.per_partition_max_ = 50;
  group.make_hot(3, 0.5);
  group.run(3600, steady(200));
  EXPECT_EQ(group.replicas(), 2);
  EXPECT_EQ(group.last.reason, "HotPartition");
  EXPECT_TRUE(group.last.limited);
}

TEST(LagScaler, WithoutReportsNothingChanges) {
  ConsumerGroupModel group(rules(1, 12), 12, 100);
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
    ConsumerGroupModel group(rules(min, max), partitions, 100);
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
}  // namespace spanway::decide
