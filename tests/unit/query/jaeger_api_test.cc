#include "services/query/api/jaeger/jaeger_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/query/api/jaeger/go_values.h"
#include "services/query/api/jaeger/jaeger_search.h"
#include "services/query/api/request_values.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/api_caller.h"

namespace spanway::query::jaeger {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(JaegerParameters, DurationsAreGos) {
  EXPECT_EQ(parse_go_duration("1.5s"), 1'500'000'000);
  EXPECT_EQ(parse_go_duration("1h2m3s"), 3'723'000'000'000);
  EXPECT_EQ(parse_go_duration("300ms"), 300'000'000);
  EXPECT_EQ(parse_go_duration("7us"), 7'000);
  EXPECT_EQ(parse_go_duration("7\u00b5s"), 7'000);
  EXPECT_EQ(parse_go_duration("-1ns"), -1);
  EXPECT_EQ(parse_go_duration("0"), 0);
  for (const char* wrong : {"", "1", "s", "1x", "1.2.3s", "-", "1e3s", "9999999999h"})
    EXPECT_FALSE(parse_go_duration(wrong)) << wrong;
}

TEST(JaegerParameters, TimesAreRfc3339) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(parse_rfc3339("2015-07-01T22:10:51.781000001+02:00"), 1'435'781'451'781'000'001);
  EXPECT_EQ(parse_rfc3339("2015-07-01T15:10:51-05:00"), 1'435'781'451'000'000'000);
  for (const char* wrong : {"", "2015-07-01", "2015-02-30T00:00:00Z", "2015-07-01T20:10:51",
                            "2015-07-01T20:10:51.Z", "2015-07-01T20:10:51+2:00", "1435781451"})
    EXPECT_FALSE(parse_rfc3339(wrong)) << wrong;
}

TEST(JaegerParameters, TagsAreObjectsOfTexts) {
  const auto tags = parse_text_map(R"({"a":"1","b\u0041":"x\ny"})");
  ASSERT_TRUE(tags);
  EXPECT_EQ((*tags)[1], std::pair(std::string("bA"), std::string("x\ny")));
  for (const char* wrong : {"", "[]", R"({"a":1})", R"({"a":{}})", R"({"a":"b")", "{} x"})
    EXPECT_FALSE(parse_text_map(wrong)) << wrong;
}

class JaegerApiTest : public testing::Test {
 protected:
  // One minute before now: shop (root, server) calls payment (client, error); one trace each.
  void SetUp() override {
    for (std::uint64_t trace = 1; trace <= 3; ++trace) {
      add(trace, 1, "", "shop", "GET /cart", 2, 0, {fakes::otlp_attribute("user", "ann")}, 5);
      add(trace, 2, fakes::otlp_span_id(1), "payment", "charge", 3, 2,
          {fakes::otlp_attribute("retries", trace == 1 ? "many" : "few")}, 50);
    }
  }
  void add(std::uint64_t trace, std::uint64_t id, const std::string& parent,
           const std::string& service, const std::string& name, std::uint64_t kind,
           std::uint64_t status, const std::vector<fakes::ProtoMessage>& attributes,
           std::uint64_t duration_ms) {
    const auto start = static_cast<std::uint64_t>(now_ - 60'000'000'000) + trace * 1'000'000 + id;
    fakes::ProtoMessage span;
    span.bytes(1, fakes::otlp_trace_id(trace)).bytes(2, fakes::otlp_span_id(id));
    if (!parent.empty()) span.bytes(4, parent);
    span.bytes(5, name).varint(6, kind).fixed64(7, start);
    span.fixed64(8, start + duration_ms * 1'000'000);
    for (const auto& attribute : attributes) span.message(9, attribute);
    span.message(15, fakes::ProtoMessage().varint(3, status));
    fakes::ProtoMessage resource, owner;
    owner.message(1, fakes::otlp_attribute("service.name", service));
    resource.message(1, owner).message(2, fakes::otlp_scope("lib", {span}));
    ASSERT_TRUE(store_.add("acme", fakes::otlp_request({resource}).encode()).ok());
  }
  ApiCaller::Answer get(std::string_view pattern, const std::string& query = "",
                        Parameters arguments = {}) {
    return ApiCaller(api_, context_).call(pattern, query, std::move(arguments));
  }
  // The range around the spans, for v3.
  static std::string v3_range() {
    return "query.start_time_min=2025-12-31T23:00:00Z&query.start_time_max=2026-01-01T01:00:00Z";
  }

  fakes::ManualClock clock_;
  const std::int64_t now_ = clock_.system_now().time_since_epoch().count();
  MemoryTraceStore store_;
  JaegerApi api_{store_, clock_};
  QueryContext context_{.tenant = "acme"};
};

TEST_F(JaegerApiTest, ASearchReturnsWholeTraces) {
  const auto answer =
      get("/api/traces", "service=payment&operation=charge&tags={\"retries\":\"few\"}");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"({"data":[{"traceID":"00000000000000000000000000000002")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("serviceName":"shop")"));
  EXPECT_THAT(answer.body,
              HasSubstr(R"(,"warnings":null},{"traceID":"00000000000000000000000000000003")"));
  EXPECT_THAT(answer.body, HasSubstr(R"(],"total":0,"limit":0,"offset":0,"errors":null})"));
  EXPECT_THAT(answer.body, Not(HasSubstr("00000000000000000000000000000001")));
  EXPECT_EQ(get("/api/traces", "service=none").body,
            R"({"data":[],"total":0,"limit":0,"offset":0,"errors":null})");
}

TEST_F(JaegerApiTest, ASearchAppliesEachOfItsParameters) {
  const auto count = [&](const std::string& query) {
    const std::string body = get("/api/traces", query).body;
    std::size_t traces = 0;
    for (std::size_t at = 0; (at = body.find("\"processes\":{", at)) != std::string::npos; ++at)
      ++traces;
    return traces;
  };
  EXPECT_EQ(count("service=shop"), 3u);
  EXPECT_EQ(count("service=shop&limit=2"), 2u);
  EXPECT_EQ(count("service=shop&tag=user:ann"), 3u);
  EXPECT_EQ(count("service=shop&tag=user:bob"), 0u);
  EXPECT_EQ(count("service=shop&minDuration=20ms"), 0u);
  EXPECT_EQ(count("service=payment&minDuration=20ms&maxDuration=1s"), 3u);
  EXPECT_EQ(count("service=payment&tags={\"error\":\"true\"}"), 3u);
  EXPECT_EQ(count("service=shop&tags={\"error\":\"true\"}"), 0u);
  EXPECT_EQ(count("tags={\"retries\":\"many\"}"), 1u) << "a search needs no service";
  const std::string after = std::to_string(now_ / 1000 - 30'000'000);
  EXPECT_EQ(count("service=shop&start=" + after), 0u);
  EXPECT_EQ(count("service=shop&end=" + after), 3u);
  const auto by_id = get("/api/traces", "traceID=1&traceID=77");
  EXPECT_THAT(
      by_id.body,
      HasSubstr(
          R"("errors":[{"msg":"trace not found","traceID":"00000000000000000000000000000077"}]})"));
}

TEST_F(JaegerApiTest, BadParametersAre400InTheShapeOfTheVersion) {
  for (const char* query : {"service=a&limit=0", "service=a&limit=x", "service=a&start=x",
                            "service=a&minDuration=5", "service=a&tags=x", "service=a&tag=x",
                            "traceID=zz", "service=a&minDuration=2s&maxDuration=1s"}) {
    const auto answer = get("/api/traces", query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_THAT(
        answer.body,
        HasSubstr(R"({"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":400,"msg":)"))
        << query;
  }
  EXPECT_THAT(get("/api/operations").body, HasSubstr("parameter 'service' is required"));
  for (const char* query : {"", "query.start_time_min=x&query.start_time_max=y"}) {
    const auto answer = get("/api/v3/traces", query);
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr(R"({"error":{"grpcCode":3,"httpCode":400,"message":)"));
  }
  EXPECT_EQ(get("/api/v3/traces", v3_range() + "&query.service_name=none").status, 404);
  EXPECT_EQ(get("/api/metrics/calls").status, 400);
  EXPECT_EQ(get("/api/metrics/latencies", "service=shop").status, 400);
}

TEST_F(JaegerApiTest, NamesComeInBothVersions) {
  EXPECT_EQ(get("/api/services").body,
            R"({"data":["payment","shop"],"total":2,"limit":0,"offset":0,"errors":null})");
  EXPECT_EQ(get("/api/v3/services").body, R"({"services":["payment","shop"]})");
  Parameters shop;
  shop.add("service", "shop");
  EXPECT_EQ(get("/api/services/{service}/operations", "", shop).body,
            R"({"data":["GET /cart"],"total":1,"limit":0,"offset":0,"errors":null})");
  EXPECT_EQ(
      get("/api/operations", "service=payment").body,
      R"({"data":[{"name":"charge","spanKind":"client"}],"total":1,"limit":0,"offset":0,"errors":null})");
  EXPECT_EQ(get("/api/operations", "service=payment&spanKind=server").body,
            R"({"data":[],"total":0,"limit":0,"offset":0,"errors":null})");
  EXPECT_EQ(get("/api/v3/operations", "service=shop&span_kind=server").body,
            R"({"operations":[{"name":"GET /cart","spanKind":"server"}]})");
}

TEST_F(JaegerApiTest, DependenciesCountCalls) {
  const std::string edge = R"({"parent":"shop","child":"payment","callCount":3})";
  EXPECT_EQ(get("/api/dependencies", "lookback=3600000").body,
            R"({"data":[)" + edge + R"(],"total":0,"limit":0,"offset":0,"errors":null})");
  EXPECT_THAT(get("/api/dependencies", "service=other").body, HasSubstr(R"({"data":[],)"));
  EXPECT_THAT(
      get("/api/v3/dependencies", "start_time=2025-12-31T23:00:00Z&end_time=2026-01-01T01:00:00Z")
          .body,
      HasSubstr(R"([{"parent":"shop","child":"payment","callCount":"3"}])"));
}

TEST_F(JaegerApiTest, SummariesHaveTheRootAndTheServices) {
  const auto answer =
      get("/api/v3/trace-summaries", v3_range() + "&query.service_name=payment&query.num_traces=1");
  EXPECT_THAT(answer.body,
              HasSubstr(R"({"summaries":[{"traceId":"00000000000000000000000000000003",)"
                        R"("rootServiceName":"shop","rootOperationName":"GET /cart",)"));
  EXPECT_THAT(answer.body,
              HasSubstr(R"("spanCount":2,"errorSpanCount":1,"orphanSpanCount":0,"services":[)"
                        R"({"name":"payment","spanCount":1,"errorSpanCount":1},)"
                        R"({"name":"shop","spanCount":1,"errorSpanCount":0}]}]})"));
}

TEST_F(JaegerApiTest, MetricsAreRatesOfCompleteFiveMinutes) {
  const auto calls = get("/api/metrics/calls",
                         "service=shop&service=payment&lookback=0&ratePer=300000&spanKind=client");
  EXPECT_EQ(calls.body,
            R"({"name":"service_call_rate","type":"GAUGE","help":"calls/sec, grouped by service",)"
            R"("metrics":[{"labels":[{"name":"service_name","value":"payment"}],"metricPoints":[{)"
            R"("gaugeValue":{"doubleValue":0.01},"timestamp":"2026-01-01T00:00:01.000Z"}]}]})");
  EXPECT_THAT(get("/api/metrics/errors", "service=payment&lookback=0&spanKind=client").body,
              HasSubstr(R"("doubleValue":1)"));
  const auto latencies =
      get("/api/metrics/latencies", "service=shop&lookback=0&quantile=0.95&groupByOperation=true");
  EXPECT_THAT(latencies.body, HasSubstr("service_operation_latencies"));
  EXPECT_THAT(latencies.body, HasSubstr(R"({"name":"operation","value":"GET /cart"})"));
  EXPECT_THAT(get("/api/metrics/minstep").body, HasSubstr(R"({"data":300000,)"));
}

}  // namespace
}  // namespace spanway::query::jaeger
