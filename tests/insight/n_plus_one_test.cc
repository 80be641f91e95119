// The bounds of the rule; planted_truth_test.cc has precision and recall.
#include "services/query/insight/n_plus_one.h"

#include <gtest/gtest.h>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;

// A page with `calls` queries, the first `overlapping` of which begin before the last one's end.
SampledTrace page(PlantedRandom& random, int calls, int overlapping) {
  TraceBuilder trace(random);
  trace.add(TraceBuilder::kNoParent, {"shop", "GET /cart", SpanKind::kServer}, 0, 10'000);
  for (int n = 0; n < calls; ++n) {
    const std::int64_t begin = n * 100 - (n >= 1 && n <= overlapping ? 50 : 0);
    const std::size_t call =
        trace.add(0, {"shop", "SELECT", SpanKind::kClient}, begin, n * 100 + 90);
    trace.set(call, "db.statement", "select * from item where id = " + std::to_string(n));
  }
  return std::move(trace).shuffled();
}

std::size_t found(int calls, int overlapping) {
  PlantedRandom random(1);
  const SampledTrace trace = page(random, calls, overlapping);
  return n_plus_one({&trace, 1}, {}, {}).size();
}

TEST(NPlusOne, TenSiblingsOneAfterTheOther) {
  EXPECT_EQ(found(9, 0), 0u);
  EXPECT_EQ(found(10, 0), 1u);
  EXPECT_EQ(found(11, 2), 1u);  // 8 of 10.
  EXPECT_EQ(found(11, 3), 0u);
}

TEST(NPlusOne, HasEvidence) {
  PlantedRandom random(1);
  std::vector<SampledTrace> traces;
  for (const int calls : {12, 40, 20}) traces.push_back(page(random, calls, 0));
  const std::vector<Finding> findings = n_plus_one(traces, {5, 9}, {});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].subject(), "shop GET /cart: select * from item where id = ?");
  EXPECT_EQ(findings[0].observed, 20);  // The median.
  EXPECT_EQ(findings[0].window, (TimeRange{5, 9}));
  EXPECT_EQ(findings[0].trace_ids,
            (std::vector<TraceId>{traces[0].id, traces[1].id, traces[2].id}));
  EXPECT_EQ(findings[0].numbers[0], (std::pair<std::string_view, double>("traces", 3)));
}

TEST(NPlusOne, ThresholdsCount) {
  PlantedRandom random(1);
  const SampledTrace trace = page(random, 10, 0);
  Thresholds thresholds;
  thresholds.n_plus_one.siblings_min = 11;
  EXPECT_TRUE(n_plus_one({&trace, 1}, {}, thresholds).empty());
  thresholds.n_plus_one.siblings_min = 0;
  thresholds.n_plus_one.traces_min = 2;
  EXPECT_TRUE(n_plus_one({&trace, 1}, {}, thresholds).empty());
}

}  // namespace
}  // namespace spanway::query::insight
