// The rules of latencies and rates; planted_truth_test.cc has precision and recall.
#include <gtest/gtest.h>

#include "services/query/insight/latency_regressions.h"
#include "services/query/insight/rate_changes.h"

namespace spanway::query::insight {
namespace {

const OperationKey kOperation{"shop", "GET /", otlp::SpanKind::kServer};
const Durations kUsual = {{80, 900}, {84, 100}}, kSlow = {{84, 900}, {90, 100}};

LatencyHistory latencies(std::vector<Durations> windows) {
  return {kOperation, std::move(windows), kUsual, kUsual};
}
std::vector<Finding> found(const LatencyHistory& history) {
  return latency_regressions({&history, 1}, {1, 2}, {});
}

TEST(LatencyRegressions, AgainstEachBaseline) {
  const std::vector<Finding> findings = found(latencies({kUsual, kSlow, kSlow}));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].subject(), "shop GET /");
  EXPECT_EQ(findings[0].baseline, duration_quantile_ns(kUsual, 0.95));
  EXPECT_EQ(findings[0].observed, duration_quantile_ns(kSlow, 0.95));
  EXPECT_GT(findings[0].score, 100);
  LatencyHistory usual_at_this_hour = latencies({kUsual, kSlow, kSlow});
  usual_at_this_hour.same_hours = kSlow;
  EXPECT_TRUE(found(usual_at_this_hour).empty());
  usual_at_this_hour.same_hours = {{84, 100}};  // Too few calls for a baseline.
  EXPECT_EQ(found(usual_at_this_hour).size(), 1u);
}

TEST(LatencyRegressions, NotWithoutCallsBaselineOrGrowth) {
  EXPECT_TRUE(found(latencies({kUsual, kUsual, kUsual})).empty());
  EXPECT_TRUE(found(latencies({kUsual, {{84, 40}}, {{84, 40}}})).empty());
  EXPECT_TRUE(found(latencies({})).empty());
  EXPECT_TRUE(found({kOperation, {kSlow, kSlow, kSlow}, {}, {}}).empty());
  // Surely slower, by one bucket (19 %).
  const Durations little = {{81, 900}, {85, 100}};
  EXPECT_TRUE(found(latencies({little, little, little})).empty());
}

RateHistory rates(CallCounts usual, CallCounts now) {
  return {kOperation,
          {now, now, now},
          std::vector<CallCounts>(48, usual),
          std::vector<CallCounts>(288, usual)};
}
std::size_t errors_found(CallCounts usual, CallCounts now) {
  const RateHistory history = rates(usual, now);
  return error_rates({&history, 1}, {}, {}).size();
}

TEST(ErrorRates, AboveTheBinomialTail) {
  EXPECT_EQ(errors_found({1000, 10}, {1000, 50}), 1u);
  EXPECT_EQ(errors_found({1000, 10}, {1000, 15}), 0u);
  EXPECT_EQ(errors_found({1000, 0}, {1000, 8}), 0u);  // Below one percentage point.
  EXPECT_EQ(errors_found({100, 0}, {100, 4}), 0u);    // Too few errors.
  EXPECT_EQ(errors_found({100, 0}, {40, 40}), 0u);    // Too few calls.
  EXPECT_EQ(errors_found({1000, 500}, {1000, 10}), 0u);
}

TEST(ErrorRates, AnEarlierIncidentDoesNotHideTheNext) {
  RateHistory history = rates({1000, 10}, {1000, 100});
  for (std::size_t n = 0; n < 25; ++n) history.last_day[n] = {1000, 900};
  const std::vector<Finding> findings = error_rates({&history, 1}, {}, {});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].baseline, 0.01);
  EXPECT_EQ(findings[0].observed, 0.1);
}

std::vector<Finding> calls_found(CallCounts usual, CallCounts now) {
  const RateHistory history = rates(usual, now);
  return call_rates({&history, 1}, {}, {});
}

TEST(CallRates, MoreAndFewer) {
  ASSERT_EQ(calls_found({100, 0}, {200, 0}).size(), 1u);
  EXPECT_EQ(calls_found({100, 0}, {200, 0})[0].symptom, "more");
  ASSERT_EQ(calls_found({100, 0}, {0, 0}).size(), 1u);
  EXPECT_EQ(calls_found({100, 0}, {0, 0})[0].symptom, "fewer");
  EXPECT_EQ(calls_found({100, 0}, {130, 0}).size(), 0u);
  EXPECT_EQ(calls_found({5, 0}, {0, 0}).size(), 0u);  // Too few to miss.
}

TEST(CallRates, ByTheTimeOfDay) {
  // Half as much as over the day is usual at this hour.
  RateHistory history = rates({1000, 0}, {300, 0});
  history.same_hours.assign(48, {300, 0});
  EXPECT_TRUE(call_rates({&history, 1}, {}, {}).empty());
  history.same_hours.clear();
  EXPECT_EQ(call_rates({&history, 1}, {}, {}).size(), 1u);
  history.last_day.resize(10);
  EXPECT_TRUE(call_rates({&history, 1}, {}, {}).empty());
}

}  // namespace
}  // namespace spanway::query::insight
