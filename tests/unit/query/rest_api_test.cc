#include "services/query/api/rest/rest_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

class RestApiTest : public testing::Test {
 protected:
  ApiCaller::Answer post(std::string_view pattern, const std::string& body) {
    return ApiCaller(api_, context_).call(pattern, "", {}, body);
  }
  ApiCaller::Answer get(std::string_view pattern, const std::string& query) {
    return ApiCaller(api_, context_).call(pattern, query);
  }
  // One minute before now.
  std::uint64_t time() const {
    return static_cast<std::uint64_t>(clock_.system_now().time_since_epoch().count()) -
           60'000'000'000;
  }
  void add_span(std::uint64_t trace, const std::string& service, std::uint64_t status) {
    fakes::ProtoMessage span;
    span.bytes(1, fakes::otlp_trace_id(trace)).bytes(2, fakes::otlp_span_id(trace));
    span.bytes(5, "op").fixed64(7, time()).fixed64(8, time() + 2'000'000);
    span.message(15, fakes::ProtoMessage().varint(3, status));
    ASSERT_TRUE(traces_.add("acme", fakes::otlp_request_of({span}, service)).ok());
  }
  void add_log(const std::string& service, const std::string& body, std::uint64_t severity,
               std::uint64_t offset) {
    fakes::ProtoMessage record;
    record.fixed64(1, time() + offset).varint(2, severity);
    record.message(5, fakes::otlp_string(body));
    ASSERT_TRUE(logs_.add("acme", fakes::otlp_request_of({record}, service)).ok());
  }

  fakes::ManualClock clock_;
  MemoryTraceStore traces_;
  MemoryLogStore logs_;
  MemoryMetricStore metrics_;
  RestApi api_{{traces_, logs_, metrics_, clock_, [] { return Figures{}; }, nullptr,
                [] { return std::string(R"({"services":[]})"); }}};
  QueryContext context_{.tenant = "acme"};
};

TEST_F(RestApiTest, TheStateOfThePipelineIsWrittenAsItWasRead) {
  EXPECT_EQ(get("/api/v1/pipeline", "").body, R"({"services":[]})");
}

TEST_F(RestApiTest, TracesOfAServiceComeAsSummaries) {
  add_span(1, "shop", 0);
  add_span(2, "payment", 2);
  const auto answer = post("/api/v1/traces", R"({"service_name":"payment","limit":5})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.body,
      R"({"traces":[{"traceId":"00000000000000000000000000000002","rootServiceName":"payment",)"
      R"("rootName":"op","startTime":"2025-12-31T23:59:01.000Z","startTimeUnixNano":)"
      R"("1767225541000000000","durationMs":2,"spanCount":1,"errorCount":1,)"
      R"("services":["payment"]}]})");
  EXPECT_THAT(post("/api/v1/traces", "").body, HasSubstr("shop"));
  EXPECT_EQ(post("/api/v1/traces", R"({"end_time":"2025-12-31T00:00:00Z"})").body,
            R"({"traces":[]})");
  EXPECT_EQ(post("/api/v1/traces", R"({"start_time":1767225542})").body, R"({"traces":[]})");
}

TEST_F(RestApiTest, LogsOfASeverityAreFoundBehindManyOthers) {
  add_log("shop", "declined", 17, 0);
  for (std::uint64_t i = 1; i <= 1500; ++i) add_log("shop", "fine", 9, i);
  add_log("payment", "broken", 18, 2000);
  const auto errors = post("/api/v1/logs", R"({"severity":"error","service_name":"shop"})");
  EXPECT_EQ(errors.status, 200);
  EXPECT_THAT(errors.body, HasSubstr(R"("severityNumber":17)"));
  EXPECT_THAT(errors.body, HasSubstr(R"("body":"declined")"));
  EXPECT_THAT(errors.body, Not(HasSubstr("fine")));
  EXPECT_THAT(errors.body, Not(HasSubstr("broken")));
  const auto newest = post("/api/v1/logs", R"({"limit":1})");
  EXPECT_THAT(newest.body, HasSubstr(R"({"logs":[{"timestamp":"2025-12-31T23:59:01.000Z",)"));
  EXPECT_THAT(newest.body, HasSubstr("broken"));
  EXPECT_EQ(post("/api/v1/logs", R"({"severity":"loud"})").status, 400);
}

TEST_F(RestApiTest, SamplesOfAMetricAreAggregatedBySeries) {
  for (const std::int64_t value : {2, 4, 9}) {
    fakes::ProtoMessage point;
    point.fixed64(3, time() + static_cast<std::uint64_t>(value) * 1'000'000'000);
    point.fixed64(6, static_cast<std::uint64_t>(value));
    point.message(7, fakes::otlp_attribute("q", "a"));
    const auto metric = fakes::otlp_metric("depth", fakes::MetricKind::kGauge, {point});
    ASSERT_TRUE(metrics_.add("acme", fakes::otlp_request_of({metric}, "shop")).ok());
  }
  const auto value_of = [&](const std::string& aggregation) {
    return post("/api/v1/metrics", R"({"metric_name":"depth_ratio","service_name":"shop",)"
                                   R"("aggregation":")" +
                                       aggregation + R"("})")
        .body;
  };
  EXPECT_THAT(value_of("avg"), HasSubstr(R"("value":5,"samples":3)"));
  EXPECT_THAT(value_of("sum"), HasSubstr(R"("value":15,)"));
  EXPECT_THAT(value_of("min"), HasSubstr(R"("value":2,)"));
  EXPECT_THAT(value_of("max"), HasSubstr(R"("value":9,)"));
  EXPECT_THAT(value_of("count"), HasSubstr(R"("value":3,)"));
  EXPECT_THAT(value_of("last"), HasSubstr(R"("q":"a")"));
  EXPECT_EQ(post("/api/v1/metrics", R"({"metric_name":"depth_ratio","service_name":"hop"})").body,
            R"({"series":[]})");
  EXPECT_EQ(post("/api/v1/metrics", "{}").status, 400);
  EXPECT_EQ(post("/api/v1/metrics", R"({"metric_name":"a","aggregation":"p99"})").status, 400);
}

TEST_F(RestApiTest, StatsHaveTheFiguresOfEachService) {
  add_span(1, "shop", 0);
  add_span(2, "shop", 2);
  add_span(3, "payment", 0);
  const auto stats = get("/api/v1/services/stats", "start_time=2025-12-31T23:00:00Z");
  EXPECT_THAT(stats.body, HasSubstr(R"({"name":"payment","spanCount":1,"errorCount":0,)"));
  EXPECT_THAT(stats.body,
              HasSubstr(R"({"name":"shop","spanCount":2,"errorCount":1,"errorRate":0.5,)"
                        R"("durationAvgMs":2,"durationP50Ms":)"));
  EXPECT_EQ(get("/api/v1/services/stats", "start_time=soon").status, 400);
}

TEST_F(RestApiTest, ABodyThatIsNoSearchIs400) {
  for (const char* body :
       {"[]", "{", R"({"limit":0})", R"({"limit":"many"})", R"({"query":"x"})",
        R"({"start_time":"yesterday"})", R"({"service_name":{"a":1}})",
        R"({"start_time":"2026-01-01T00:00:00Z","end_time":"2025-01-01T00:00:00Z"})"}) {
    const auto answer = post("/api/v1/traces", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr(R"("status":400,"detail":")")) << body;
  }
}

}  // namespace
}  // namespace spanway::query::rest
