// Results as Tempo's JSON.
#include "services/query/api/tempo/tempo_json.h"

#include <gtest/gtest.h>

#include <limits>

namespace spanway::query::tempo {
namespace {

using traceql::Value;

TEST(ResultJson, HasATraceWithItsSets) {
  traceql::SearchResult result;
  traceql::ShownTrace& trace = result.traces.emplace_back();
  trace.id = std::string(15, '\0') + "\x1f";
  trace.begin_unix_nano = 1'700'000'000'000'000'001;
  trace.duration_ns = 2'500'000;
  trace.services = {{.service = "shop", .spans = 3, .errors = 1}};
  trace.sets = {
      {.spans = {{.id = std::string(7, '\0') + "\x01",
                  .name = "pay",
                  .start_unix_nano = 5,
                  .duration_ns = 6,
                  .attributes = {{"status", Value::of_status(2)}, {"n", Value::of_int(7)}}}},
       .matched = 4,
       .attributes = {{"count()", Value::of_int(4)}}}};
  result.inspected_traces = 9;
  result.inspected_spans = 90;
  const std::string set =
      R"x({"spans":[{"spanID":"0000000000000001","name":"pay","startTimeUnixNano":"5",)x"
      R"x("durationNanos":"6","attributes":[{"key":"status","value":{"stringValue":"error"}},)x"
      R"x({"key":"n","value":{"intValue":"7"}}]}],"matched":4,)x"
      R"x("attributes":[{"key":"count()","value":{"intValue":"4"}}]})x";
  EXPECT_EQ(search_json(result, {}),
            R"({"traces":[{"traceID":"1f","rootServiceName":"<root span not yet received>",)"
            R"("rootTraceName":"","startTimeUnixNano":"1700000000000000001","durationMs":2,)"
            R"("spanSet":)" +
                set + R"(,"spanSets":[)" + set +
                R"(],"serviceStats":{"shop":{"spanCount":3,"errorCount":1}}}],)"
                R"("metrics":{"inspectedTraces":9,"inspectedSpans":"90","inspectedBytes":"0",)"
                R"("completedJobs":1,"totalJobs":1}})");
  QueryContext partial;
  partial.coverage.complete = false;
  EXPECT_NE(search_json({}, partial).find(R"("completedJobs":0,"totalJobs":1)"), std::string::npos);
}

TEST(ResultJson, HasSeriesInTheOrderOfTheirLabels) {
  const auto intervals = traceql::Intervals::range(20'000'000'000, 30'000'000'000, 10'000'000'000);
  ASSERT_TRUE(intervals.ok());
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  traceql::MetricsResult result;
  result.series = {{{{"name", Value::of_string("b")}}, {kNaN, 2}},
                   {{{"name", Value::of_string("a")}}, {0.5, kNaN}},
                   {{{"name", Value::of_string("c")}}, {kNaN, kNaN}}};
  result.series[1].exemplars = {{{{"trace:id", Value::of_string("1f")}}, 0.5, 9'000}};
  std::string json;
  const auto append = [&](std::string_view text) -> Status {
    json += text;
    return {};
  };
  ASSERT_TRUE(write_range(result, *intervals, {}, append).ok());
  EXPECT_EQ(json.substr(0, json.find(",\"metrics\"")),
            R"({"series":[{"labels":[{"key":"name","value":{"stringValue":"a"}}],)"
            R"("samples":[{"timestampMs":"20000","value":0.5}],)"
            R"("exemplars":[{"labels":[{"key":"trace:id","value":{"stringValue":"1f"}}],)"
            R"("value":0.5,"timestampMs":"9000"}]},)"
            R"({"labels":[{"key":"name","value":{"stringValue":"b"}}],)"
            R"("samples":[{"timestampMs":"30000","value":2}]}])");
  EXPECT_TRUE(json.ends_with("\"completedJobs\":1,\"totalJobs\":1}}"));
  json.clear();
  ASSERT_TRUE(write_range({}, *intervals, {}, append).ok());
  EXPECT_TRUE(json.starts_with("{\"series\":[],\"metrics\":{")) << json;
  const std::string instant = instant_json(result, {});
  EXPECT_EQ(instant.substr(0, instant.find(",{\"labels\"")),
            R"({"series":[{"labels":[{"key":"name","value":{"stringValue":"a"}}],"value":0.5})");
}

}  // namespace
}  // namespace spanway::query::tempo
