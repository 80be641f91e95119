// Evidence and bounds of relations; planted_truth_test.cc has the ranks of planted causes.
#include "services/query/insight/relations.h"

#include <gtest/gtest.h>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
const OperationKey kOperation{"shop", "GET /", SpanKind::kServer};

// 200 traces; every tenth is of the tenant "acme", whose traces are bad.
std::vector<SampledTrace> traces_of(bool are_slow) {
  PlantedRandom random(1);
  std::vector<SampledTrace> traces;
  for (int n = 0; n < 200; ++n) {
    const bool is_bad = n % 10 == 0;
    TraceBuilder trace(random);
    trace.add(TraceBuilder::kNoParent, {"shop", "GET /", SpanKind::kServer}, 0,
              is_bad && are_slow ? 900 : 100);
    trace.add(0, {"cart", "load", SpanKind::kServer}, 0, 50);
    trace[0].has_failed = is_bad && !are_slow;
    trace.set(1, "tenant", is_bad ? "acme" : "t" + std::to_string(n % 7));
    trace.set(1, "plan", is_bad ? "gold" : "free");
    trace.set(0, "error.type", is_bad ? "timeout" : "none");
    trace[0].resource.emplace_back("k8s.pod.name", "pod-" + std::to_string(n % 3));
    traces.push_back(std::move(trace).take());
  }
  return traces;
}

TEST(Relations, OfFailedTraces) {
  const std::vector<SampledTrace> traces = traces_of(false);
  const std::vector<Finding> findings = relations(traces, {{kOperation, 500}}, {3, 4}, {});
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  // Two tokens of the same traces are one finding; the symptom is none.
  EXPECT_EQ(finding.subject(), "shop GET / failed: plan=gold");
  EXPECT_EQ(finding.also, std::vector<std::string>{"tenant=acme"});
  EXPECT_EQ(finding.observed, 1);
  EXPECT_EQ(finding.baseline, 0);
  EXPECT_GT(finding.score, 5);
  EXPECT_EQ(finding.window, (TimeRange{3, 4}));
  ASSERT_EQ(finding.trace_ids.size(), Finding::kTraceIdsMax);
  EXPECT_EQ(finding.trace_ids[1], traces[10].id);
}

TEST(Relations, OfSlowTraces) {
  const std::vector<SampledTrace> traces = traces_of(true);
  const auto subject = [&](const std::map<OperationKey, std::int64_t>& slow_ns) {
    const std::vector<Finding> findings = relations(traces, slow_ns, {}, {});
    return findings.empty() ? "" : findings[0].subject();
  };
  EXPECT_EQ(subject({{kOperation, 500}}), "shop GET / slow: plan=gold");
  EXPECT_EQ(subject({{kOperation, 1000}}), "");
  // By the quantile of the traces themselves.
  Thresholds thresholds;
  thresholds.relation.slow_quantile = 0.8;
  EXPECT_EQ(relations(traces, {}, {}, thresholds).size(), 1u);
}

TEST(Relations, BoundsHold) {
  const std::vector<SampledTrace> traces = traces_of(false);
  Thresholds thresholds;
  thresholds.relation.traces_min = 21;
  EXPECT_TRUE(relations(traces, {}, {}, thresholds).empty());
  thresholds = {};
  thresholds.relation.tokens_max = 0;
  EXPECT_TRUE(relations(traces, {}, {}, thresholds).empty());
  thresholds = {};
  thresholds.relation.token_bytes_max = 3;
  EXPECT_TRUE(relations(traces, {}, {}, thresholds).empty());
  thresholds = {};
  thresholds.relation.symptom_keys = {"plan"};
  ASSERT_EQ(relations(traces, {}, {}, thresholds).size(), 1u);
  EXPECT_EQ(relations(traces, {}, {}, thresholds)[0].token, "error.type=timeout");
  thresholds.relation.symptom_keys = {"plan", "error."};
  ASSERT_EQ(relations(traces, {}, {}, thresholds).size(), 1u);
  EXPECT_EQ(relations(traces, {}, {}, thresholds)[0].token, "tenant=acme");
  EXPECT_TRUE(relations({}, {}, {}, {}).empty());
}

}  // namespace
}  // namespace spanway::query::insight
