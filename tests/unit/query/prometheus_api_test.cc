#include "services/query/api/prometheus/prometheus_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

#include "services/query/api/http_status.h"
#include "services/query/api/prometheus/parameter_values.h"
#include "services/query/api/prometheus/query_tree.h"
#include "services/query/api/prometheus/result_json.h"
#include "services/query/store/absent_stores.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query::prometheus {
namespace {

std::string tree_of(std::string_view query) {
  std::string out;
  const auto expr = promql::parse(query, {.experimental = true});
  if (!expr.ok()) return expr.error().message;
  append_tree(**expr, out);
  return out;
}

TEST(PrometheusQueryTree, IsThatOfParseQuery) {
  EXPECT_EQ(
      tree_of("x{a!='b'}[5m] offset 1m @ 2"),
      R"({"anchored":false,"matchers":[{"name":"a","type":"!=","value":"b"},)"
      R"({"name":"__name__","type":"=","value":"x"}],"name":"x","offset":60000,)"
      R"("offsetExpr":null,"range":300000,"rangeExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":2000,)"
      R"("type":"matrixSelector"})");
  EXPECT_EQ(tree_of("(1) + 0.5"),
            R"({"bool":false,"lhs":{"expr":{"type":"numberLiteral","val":"1"},)"
            R"("type":"parenExpr"},"matching":null,"op":"+","rhs":{"type":"numberLiteral",)"
            R"("val":"0.5"},"type":"binaryExpr"})");
  EXPECT_THAT(tree_of("a / on (b) group_left (c) d"),
              testing::HasSubstr(R"("matching":{"card":"many-to-one","fillValues":{"lhs":null,)"
                                 R"("rhs":null},"include":["c"],"labels":["b"],"on":true})"));
  EXPECT_THAT(tree_of("a + fill_left(-Inf) fill_right(2) b"),
              testing::HasSubstr(R"("fillValues":{"lhs":"-Inf","rhs":2})"));
  EXPECT_THAT(tree_of("time()"),
              testing::HasSubstr(R"("func":{"argTypes":[],"name":"time","returnType":"scalar",)"
                                 R"("variadic":0},"type":"call"})"));
  EXPECT_THAT(
      tree_of("x[(5m) - step()] offset -1"),
      testing::HasSubstr(
          R"("offset":-1000,"offsetExpr":null,"range":0,"rangeExpr":{"lhs":{"lhs":null,"op":"+",)"
          R"("rhs":{"duration":true,"type":"numberLiteral","val":"300"},"type":"durationExpr",)"
          R"("wrapped":true},"op":"-","rhs":{"lhs":null,"op":"step","rhs":null,)"
          R"("type":"durationExpr","wrapped":false},"type":"durationExpr","wrapped":false})"));
}

using testing::HasSubstr;

TEST(PrometheusParameters, TimesAreSecondsOrRfc3339) {
  EXPECT_EQ(*parse_time("1435781451.7814"), 1435781451781);
  EXPECT_EQ(*parse_time("-1.5"), -1500);
  EXPECT_EQ(*parse_time("1e3"), 1'000'000);
  EXPECT_EQ(*parse_time("2015-07-01T20:10:51.781Z"), 1435781451781);
  EXPECT_EQ(*parse_time("2015-07-01T22:10:51+02:00"), 1435781451000);
  EXPECT_EQ(*parse_time("1969-12-31T23:59:59.9999Z"), -1);
  for (const char* wrong : {"", "x", "1 ", "2015-07-01", "2015-02-30T00:00:00Z", "inf", "NaN",
                            "2015-07-01T20:10:51.Z", "2015-07-01T20:10:51+2:00", "1e300"})
    EXPECT_EQ(parse_time(wrong).error().message,
              "cannot parse \"" + std::string(wrong) + "\" to a valid timestamp");
}

TEST(PrometheusParameters, DurationsAreSecondsOrWords) {
  EXPECT_EQ(*parse_duration("0.25"), 250'000'000);
  EXPECT_EQ(*parse_duration("1m30s"), 90'000'000'000);
  EXPECT_EQ(*parse_duration("-5"), -5'000'000'000);
  EXPECT_THAT(parse_duration("1e12").error().message, HasSubstr("overflows"));
  EXPECT_FALSE(parse_duration("5x").ok());
  EXPECT_FALSE(parse_duration("").ok());
}

TEST(PrometheusParameters, ALabelInAPathMayBeEscaped) {
  EXPECT_EQ(unescaped_label("http_status"), "http_status");
  EXPECT_EQ(unescaped_label("U__http_2e_status__code"), "http.status_code");
  EXPECT_EQ(unescaped_label("U__gr_f6___x"), "gr\xC3\xB6_x");
  EXPECT_EQ(unescaped_label("U__a_zz_"), "U__a_zz_") << "no escape";
  EXPECT_EQ(unescaped_label("U__a_"), "U__a_");
}

TEST(PrometheusParameters, ASelectorHasACondition) {
  Parameters parameters;
  parameters.add("match[]", "up{job=~\"a|b\"}");
  parameters.add("match[]", "{x!=\"\"}");
  EXPECT_EQ(parse_selectors(parameters, {})->size(), 2u);
  for (const char* wrong :
       {"{}", "{x=~\".*\"}", "1", "up[5m]", "up offset 5m", "sum(up)", "up @ 3"}) {
    Parameters one;
    one.add("match[]", wrong);
    EXPECT_FALSE(parse_selectors(one, {}).ok()) << wrong;
  }
}

TEST(PrometheusJson, NumbersAndTimesAreWrittenAsPrometheusWritesThem) {
  const auto number = [](double value) {
    std::string out;
    append_number(value, out);
    return out;
  };
  EXPECT_EQ(number(0.1), "\"0.1\"");
  EXPECT_EQ(number(-0.0), "\"-0\"");
  EXPECT_EQ(number(1e-6), "\"0.000001\"");
  EXPECT_EQ(number(9e-7), "\"9e-07\"");
  EXPECT_EQ(number(1e20), "\"100000000000000000000\"");
  EXPECT_EQ(number(1e21), "\"1e+21\"");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "\"-Inf\"");
  const auto time = [](std::int64_t ms) {
    std::string out;
    append_time(ms, out);
    return out;
  };
  EXPECT_EQ(time(1000), "1");
  EXPECT_EQ(time(1007), "1.007");
  EXPECT_EQ(time(-1070), "-1.070");
}

TEST(PrometheusJson, BucketsSayWhichBoundsTheyInclude) {
  promql::Histogram histogram;
  histogram.zero_threshold = 0.001;
  histogram.zero_count = 2;
  histogram.count = 6;
  histogram.sum = 3;
  histogram.positive = {{1, 3}};
  histogram.negative = {{0, 1}};
  std::string out;
  append_histogram(histogram, out);
  EXPECT_EQ(out,
            R"({"count":"6","sum":"3","buckets":[[1,"-1","-0.5","1"],[3,"-0.001","0.001","2"],)"
            R"([0,"1","2","3"]]})");
  promql::Histogram custom;
  custom.schema = promql::kCustomBuckets;
  custom.custom_bounds = {0.5};
  custom.positive = {{0, 1}, {1, 2}};
  out.clear();
  append_histogram(custom, out);
  EXPECT_THAT(out, HasSubstr(R"([[3,"-Inf","0.5","1"],[0,"0.5","+Inf","2"]])"));
  out.clear();
  append_histogram({}, out);
  EXPECT_EQ(out, R"({"count":"0","sum":"0"})");
}

TEST(PrometheusJson, TenNotesOfAKindAreShown) {
  EXPECT_EQ(notes_json({}, {}), "");
  EXPECT_EQ(notes_json({"a\"b"}, {"c"}), R"(,"warnings":["a\"b"],"infos":["c"])");
  EXPECT_THAT(notes_json({}, std::vector<std::string>(12, "x")),
              HasSubstr("\"2 more info annotations omitted\"]"));
}

class Captured final : public http::Responder::Target {
 public:
  void respond(http::Response answer) noexcept override { response = std::move(answer); }
  http::Response response;
};

class PrometheusApiTest : public testing::Test {
 protected:
  // The body of the answer; its status in `status_`.
  std::string ask(MetricStore& store, std::string_view pattern, Parameters parameters) {
    PrometheusApi api(store, {}, system_clock());
    ApiRequest request;
    for (const ApiRoute& route : api.routes())
      if (route.pattern == pattern) request.route = &route;
    request.parameters = std::move(parameters);
    const auto target = std::make_shared<Captured>();
    AnswerWriter writer(http::Responder(target), context_.cancel, context_.deadline);
    Status result = api.answer(request, context_, writer);
    if (result.ok()) result = writer.finish();
    if (!result.ok()) {
      ErrorAnswer error =
          api.error_answer(*request.route, result.error(), http_status_of(result.error()));
      writer.refuse(error.status, error.body);
    }
    status_ = target->response.status;
    return std::string(target->response.body.view());
  }
  static Parameters with(const std::string& name, const std::string& value) {
    Parameters parameters;
    parameters.add(name, value);
    return parameters;
  }
  QueryContext context_{.tenant = "acme"};
  MemoryMetricStore store_;
  int status_ = 0;
};

TEST_F(PrometheusApiTest, ErrorsHaveTheShapeOfPrometheus) {
  AbsentMetricStore absent;
  EXPECT_THAT(ask(absent, "/api/v1/query", with("query", "up")),
              HasSubstr("\"errorType\":\"unavailable\",\"error\":\"no store of metrics"));
  EXPECT_EQ(status_, 501);
  EXPECT_EQ(ask(store_, "/api/v1/query", with("query", "foo bar")),
            R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": )"
            R"(1:5: parse error: unexpected identifier \"bar\""})");
  EXPECT_EQ(status_, 400);
  context_.deadline = Deadline::at(system_clock().now());
  EXPECT_EQ(ask(store_, "/api/v1/query", with("query", "up")),
            R"({"status":"error","errorType":"timeout","error":"query timed out in expression )"
            R"(evaluation"})");
  EXPECT_EQ(status_, 503);
}

TEST_F(PrometheusApiTest, ALimitIsAnErrorAndNeverAnEmptyAnswer) {
  std::vector<fakes::ProtoMessage> points;
  for (std::int64_t i = 0; i < 2000; ++i)
    points.push_back(fakes::otlp_number_point(i, {fakes::otlp_attribute("n", std::to_string(i))}));
  ASSERT_TRUE(store_
                  .add("acme", fakes::otlp_request_of({fakes::otlp_metric(
                                   "depth", fakes::MetricKind::kGauge, points)}))
                  .ok());
  Parameters parameters = with("query", "depth_ratio");
  parameters.add("time", "1767225600");
  parameters.add("limit", "1");
  EXPECT_THAT(ask(store_, "/api/v1/query", parameters),
              HasSubstr("]}]},\"warnings\":[\"results truncated due to limit\"]}"));
  context_.budget.memory_max = 100'000;
  EXPECT_THAT(ask(store_, "/api/v1/query", parameters), HasSubstr("\"errorType\":\"execution\""));
  EXPECT_EQ(status_, 422);
}

TEST_F(PrometheusApiTest, RulesAndExemplarsAreEmptyAndTheVersionIsKnown) {
  EXPECT_EQ(ask(store_, "/api/v1/rules", {}), R"({"status":"success","data":{"groups":[]}})");
  EXPECT_EQ(ask(store_, "/api/v1/alerts", {}), R"({"status":"success","data":{"alerts":[]}})");
  EXPECT_EQ(ask(store_, "/api/v1/query_exemplars", with("query", "up")),
            R"({"status":"success","data":[]})");
  EXPECT_THAT(ask(store_, "/api/v1/status/buildinfo", {}), HasSubstr("\"version\":\"3.15.0\""));
}

TEST_F(PrometheusApiTest, ATimeoutOfTheRequestIsAnEarlierDeadline) {
  Parameters parameters = with("query", "vector(1)");
  parameters.add("timeout", "-1");
  ask(store_, "/api/v1/query", parameters);
  EXPECT_EQ(status_, 503);
}

}  // namespace
}  // namespace spanway::query::prometheus
