#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/query/api/rest/rest_api.h"
#include "services/query/store/memory/memory_insight_store.h"
#include "services/query/store/memory/memory_log_store.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/api_caller.h"

namespace spanway::query::rest {
namespace {

using testing::HasSubstr;
using testing::Not;

// 2026-01-01T00:00:00Z.
constexpr std::int64_t kMidnight = 1'767'225'600'000'000'000;
constexpr const char* kHour = "start_time=2026-01-01T00:00:00Z&end_time=2026-01-01T01:00:00Z";

class InsightRoutesTest : public testing::Test {
 protected:
  // `window` counts from midnight.
  static EdgeRow edge(std::int64_t window, const std::string& parent, const std::string& child,
                      const std::string& link, std::uint64_t calls, std::uint64_t errors = 0) {
    EdgeRow row;
    row.begin_unix_nano = kMidnight + window * kRollupNanos;
    row.parent = parent;
    row.child = child;
    row.link = link;
    row.calls = calls;
    row.errors = errors;
    row.duration_ns = calls * (1 << 20);
    row.durations[79] = calls;
    return row;
  }
  static FindingRow finding(std::int64_t window, const std::string& kind,
                            const std::string& subject, double score) {
    FindingRow row;
    row.begin_unix_nano = kMidnight + window * kRollupNanos;
    row.kind = kind;
    row.subject = subject;
    row.service = "shop";
    row.operation = "GET /";
    row.span_kind = 2;
    row.score = score;
    row.baseline = 10;
    row.observed = 40 + static_cast<double>(window);
    return row;
  }
  void write(std::int64_t window, WindowVersion version, std::vector<EdgeRow> edges,
             std::vector<FindingRow> findings = {}, double part = 1) {
    const WindowResult result{.state = {.begin_unix_nano = kMidnight + window * kRollupNanos,
                                        .version = version,
                                        .part = part,
                                        .traces = 1},
                              .edges = std::move(edges),
                              .findings = std::move(findings)};
    ASSERT_TRUE(insight_.write(result, context_).ok());
  }
  ApiCaller::Answer get(std::string_view pattern, const std::string& query) {
    return ApiCaller(api_, context_).call(pattern, query);
  }

  fakes::ManualClock clock_;
  MemoryTraceStore traces_;
  MemoryLogStore logs_;
  MemoryMetricStore metrics_;
  MemoryInsightStore insight_;
  RestApi api_{{traces_, logs_, metrics_, clock_, [] { return Figures{}; }, &insight_, {}}};
  QueryContext context_{.tenant = "acme"};
};

TEST_F(InsightRoutesTest, TheGraphHasEveryEdgeWithItsSteps) {
  const auto span = fakes::otlp_span(1, 1);
  ASSERT_TRUE(traces_.add("acme", fakes::otlp_request_of({span}, "cart")).ok());
  write(0, WindowVersion::kFinal, {edge(0, "shop", "cart", "call", 2, 1)});
  write(1, WindowVersion::kPreliminary,
        {edge(1, "shop", "cart", "call", 6), edge(1, "cart", "mysql", "db", 9),
         edge(1, "cart", "bank.example", "call", 1)},
        {finding(1, "n_plus_one", "shop GET /: SELECT", 3)}, 0.5);
  const auto answer =
      get("/api/v1/graph", "start_time=2026-01-01T00:00:00Z&end_time=2026-01-01T00:15:00Z&step=60");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.body,
      R"({"startTime":"2026-01-01T00:00:00.000Z","endTime":"2026-01-01T00:15:00.000Z",)"
      R"("stepSeconds":300,"kept":"memory","windows":[)"
      R"({"startTime":"2026-01-01T00:00:00.000Z","state":"final","part":1},)"
      R"({"startTime":"2026-01-01T00:05:00.000Z","state":"preliminary","part":0.5},)"
      R"({"startTime":"2026-01-01T00:10:00.000Z","state":"missing","part":0}],)"
      R"("nodes":[{"name":"bank.example","kind":"peer","calls":1,"errors":0,"findings":0},)"
      R"({"name":"cart","kind":"service","calls":8,"errors":1,"findings":0},)"
      R"({"name":"mysql","kind":"database","calls":9,"errors":0,"findings":0},)"
      R"({"name":"shop","kind":"service","calls":0,"errors":0,"findings":1}],)"
      R"("edges":[{"parent":"cart","child":"mysql","link":"db","calls":9,"errors":0,)"
      R"("durationAvgMs":1.048576,"durationP50Ms":0.9651598997605394,"durationP95Ms":1.040234389976054,)"
      R"("callsByStep":[0,9,0],"errorsByStep":[0,0,0],)"
      R"("durationP95MsByStep":[null,1.040234389976054,null]},)"
      R"({"parent":"shop","child":"cart","link":"call","calls":8,"errors":1,)"
      R"("durationAvgMs":1.048576,"durationP50Ms":0.9651598997605394,"durationP95Ms":1.040234389976054,)"
      R"("callsByStep":[2,6,0],"errorsByStep":[1,0,0],)"
      R"("durationP95MsByStep":[1.040234389976054,1.040234389976054,null]},)"
      R"({"parent":"cart","child":"bank.example","link":"call","calls":1,"errors":0,)"
      R"("durationAvgMs":1.048576,"durationP50Ms":0.9651598997605394,"durationP95Ms":1.040234389976054,)"
      R"("callsByStep":[0,1,0],"errorsByStep":[0,0,0],)"
      R"("durationP95MsByStep":[null,1.040234389976054,null]}],"leftOut":0})");
}

TEST_F(InsightRoutesTest, StepsSumWindowsAndTheEdgesWithMostCallsStay) {
  write(0, WindowVersion::kFinal, {edge(0, "a", "b", "call", 2), edge(0, "a", "c", "call", 3)});
  write(1, WindowVersion::kFinal, {edge(1, "a", "b", "call", 4)});
  const auto answer = get("/api/v1/graph", std::string(kHour) + "&step=1800&limit=1");
  EXPECT_THAT(answer.body, HasSubstr(R"("callsByStep":[6,0])"));
  EXPECT_THAT(answer.body, HasSubstr(R"("leftOut":1)"));
  EXPECT_THAT(answer.body, Not(HasSubstr(R"("child":"c")")));
  EXPECT_EQ(get("/api/v1/graph", "limit=0").status, 400);
  EXPECT_EQ(get("/api/v1/graph", "step=x").status, 400);
  EXPECT_EQ(get("/api/v1/graph", "start_time=soon").status, 400);
}

TEST_F(InsightRoutesTest, AFindingOfWindowsInARowIsShownOnce) {
  for (const std::int64_t window : {0, 1, 3, 8})
    write(window, WindowVersion::kFinal, {},
          {finding(window, "latency_regression", "shop GET /", 12)});
  write(9, WindowVersion::kPreliminary, {}, {finding(9, "relation", "shop GET / slow: a=b", 2)});
  const auto answer = get("/api/v1/findings", kHour);
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(
      answer.body,
      HasSubstr(R"({"kind":"latency_regression","service":"shop","operation":"GET /",)"
                R"("spanKind":"server","subject":"shop GET /","token":"","symptom":"",)"
                R"("startTime":"2026-01-01T00:00:00.000Z","endTime":"2026-01-01T00:20:00.000Z",)"
                R"("windows":3,"isOpen":false,"score":12,"baseline":10,"observed":43,"unit":"ns",)"
                R"("numbers":{},"also":[],"traceIds":[]})"));
  EXPECT_THAT(answer.body, HasSubstr(R"("startTime":"2026-01-01T00:40:00.000Z",)"
                                     R"("endTime":"2026-01-01T00:45:00.000Z","windows":1,)"
                                     R"("isOpen":false)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("findings":[{"kind":"relation")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("isOpen":true,"score":2)"));
  const auto limited =
      get("/api/v1/findings", std::string(kHour) + "&kind=latency_regression&limit=1");
  EXPECT_THAT(limited.body, HasSubstr(R"("windows":1)"));
  EXPECT_THAT(limited.body, HasSubstr(R"("leftOut":1)"));
  EXPECT_THAT(get("/api/v1/findings", std::string(kHour) + "&service=cart").body,
              HasSubstr(R"("findings":[],"leftOut":0)"));
  EXPECT_EQ(get("/api/v1/findings", "kind=loud").status, 400);
}

TEST_F(InsightRoutesTest, NewestWindowsThatAreMissingAreInTheCoverage) {
  write(0, WindowVersion::kFinal, {edge(0, "a", "b", "call", 2)});
  clock_.advance(std::chrono::minutes(19));
  get("/api/v1/graph", kHour);
  EXPECT_TRUE(context_.coverage.complete);
  clock_.advance(std::chrono::minutes(30));
  get("/api/v1/graph", kHour);
  EXPECT_FALSE(context_.coverage.complete);
  EXPECT_EQ(context_.coverage.searched.end, kMidnight + kRollupNanos);
}

TEST_F(InsightRoutesTest, OtherTenantsSeeNothingAndWithoutTheInsightItIs501) {
  write(0, WindowVersion::kFinal, {edge(0, "a", "b", "call", 2)});
  context_.tenant = "other";
  EXPECT_THAT(get("/api/v1/graph", kHour).body, HasSubstr(R"("nodes":[],"edges":[])"));
  RestApi without({traces_, logs_, metrics_, clock_, [] { return Figures{}; }, nullptr, {}});
  EXPECT_EQ(ApiCaller(without, context_).call("/api/v1/graph").status, 501);
  EXPECT_EQ(ApiCaller(without, context_).call("/api/v1/findings").status, 501);
}

TEST_F(InsightRoutesTest, TheMemoryOfResultsIsBoundedAndTheNewestStay) {
  MemoryInsightStore small(20'000);
  for (std::int64_t window = 0; window < 200; ++window)
    ASSERT_TRUE(small
                    .write({.state = {.begin_unix_nano = kMidnight + window * kRollupNanos,
                                      .version = WindowVersion::kFinal,
                                      .part = 1,
                                      .traces = 1},
                            .edges = {edge(window, "a", "b", "call", 2)},
                            .findings = {}},
                           context_)
                    .ok());
  EXPECT_LE(small.memory_bytes(), 20'000u);
  const auto states = small.windows({}, context_).value();
  EXPECT_GT(states.size(), 10u);
  EXPECT_EQ(states.back().begin_unix_nano, kMidnight + 199 * kRollupNanos);
}

}  // namespace
}  // namespace spanway::query::rest
