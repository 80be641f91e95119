// The blocking chain, case by case; planted_truth_test.cc has 200 built traces.
#include "services/query/insight/critical_path.h"

#include <gtest/gtest.h>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
constexpr std::size_t kRoot = TraceBuilder::kNoParent;

class CriticalPath : public testing::Test {
 protected:
  std::vector<PathSegment> path() {
    trace_done_ = std::move(trace_).take();
    return critical_path(trace_done_, TraceTree(trace_done_));
  }
  using Path = std::vector<PathSegment>;

  PlantedRandom random_{1};
  TraceBuilder trace_{random_};
  SampledTrace trace_done_;
};

TEST_F(CriticalPath, TheChildThatEndsLastBlocks) {
  trace_.add(kRoot, {"a", "root"}, 0, 100);
  trace_.add(0, {"b", "first"}, 10, 40);
  trace_.add(0, {"b", "beside, shorter"}, 20, 80);
  trace_.add(0, {"b", "last"}, 50, 90);
  // "last" began while "beside" ran, so it did not wait for it.
  EXPECT_EQ(path(), (Path{{0, 0, 10}, {1, 10, 40}, {0, 40, 50}, {3, 50, 90}, {0, 90, 100}}));
}

TEST_F(CriticalPath, LateChildrenOfOneServiceWereNotAwaited) {
  trace_.add(kRoot, {"a", "root"}, 0, 100);
  trace_.add(0, {"a", "background"}, 50, 150);
  trace_.add(0, {"b", "consumer", SpanKind::kConsumer}, 10, 90);
  EXPECT_EQ(path(), (Path{{0, 0, 100}}));
}

TEST_F(CriticalPath, ClocksOfTwoServicesMayDiffer) {
  trace_.add(kRoot, {"a", "root"}, 0, 100);
  trace_.add(0, {"b", "early"}, -20, 30);
  trace_.add(0, {"b", "late"}, 60, 120);
  trace_.add(0, {"b", "elsewhere"}, 500, 600);
  EXPECT_EQ(path(), (Path{{1, 0, 30}, {0, 30, 60}, {2, 60, 100}}));
}

TEST_F(CriticalPath, NothingWithoutARoot) {
  trace_.add(kRoot, {"a", "orphan"}, 0, 100);
  trace_[0].parent_id = "lost";
  EXPECT_TRUE(path().empty());
}

TEST_F(CriticalPath, FindingsNameTheLargestShare) {
  std::vector<SampledTrace> traces;
  for (int n = 0; n < 20; ++n) {
    TraceBuilder trace(random_);
    trace.add(kRoot, {"a", "GET /", SpanKind::kServer}, 0, 100 + n);
    trace.add(0, {"db", "query", SpanKind::kServer}, 10, 90);
    traces.push_back(std::move(trace).take());
  }
  const std::vector<PathSummary> summaries = critical_paths(traces);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].shares[0].self_ns, 20 * 80);
  EXPECT_EQ(summaries[0].duration_ns, 20 * 100 + 190);
  const std::vector<Finding> findings = critical_path_findings(summaries, {0, 300}, {});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].subject(), "a GET /: db query");
  EXPECT_NEAR(findings[0].observed, 1600 / 2190.0, 1e-9);
  EXPECT_EQ(findings[0].window, (TimeRange{0, 300}));
  ASSERT_EQ(findings[0].trace_ids.size(), Finding::kTraceIdsMax);
  EXPECT_EQ(findings[0].trace_ids[0], traces.back().id);  // The longest.
  traces.pop_back();
  EXPECT_TRUE(critical_path_findings(critical_paths(traces), {0, 300}, {}).empty());
}

}  // namespace
}  // namespace spanway::query::insight
