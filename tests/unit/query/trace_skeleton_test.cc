#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/query/api/rest/rest_api.h"
#include "services/query/store/absent_stores.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/api_caller.h"

namespace spanway::query::rest {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMs = 1'000'000;

class TraceSkeletonTest : public testing::Test {
 protected:
  struct Sent {
    std::uint64_t id;
    std::uint64_t parent;
    std::uint64_t start_ms;
    std::uint64_t duration_ms;
    std::string name;
    std::uint64_t status = 0;
    std::uint64_t kind = 2;
  };
  std::uint64_t begin() const {
    return static_cast<std::uint64_t>(clock_.system_now().time_since_epoch().count()) -
           60'000 * kMs;
  }
  void add(const std::string& service, const std::vector<Sent>& sent) {
    std::vector<fakes::ProtoMessage> spans;
    for (const Sent& one : sent) {
      fakes::ProtoMessage span;
      span.bytes(1, fakes::otlp_trace_id(7)).bytes(2, fakes::otlp_span_id(one.id));
      if (one.parent != 0) span.bytes(4, fakes::otlp_span_id(one.parent));
      span.bytes(5, one.name).varint(6, one.kind).fixed64(7, begin() + one.start_ms * kMs);
      span.fixed64(8, begin() + (one.start_ms + one.duration_ms) * kMs);
      span.message(15, fakes::ProtoMessage().varint(3, one.status));
      spans.push_back(span);
    }
    ASSERT_TRUE(traces_.add("acme", fakes::otlp_request_of(spans, service)).ok());
  }
  ApiCaller::Answer get(std::string_view pattern, const std::string& trace,
                        const std::string& span = "", const std::string& query = "") {
    Parameters arguments;
    arguments.add("id", trace);
    if (!span.empty()) arguments.add("span", span);
    return ApiCaller(api_, context_).call(pattern, query, std::move(arguments));
  }
  static constexpr std::string_view kSkeleton = "/api/v1/traces/{id}/skeleton";
  static constexpr std::string_view kSpan = "/api/v1/traces/{id}/spans/{span}";

  fakes::ManualClock clock_;
  MemoryTraceStore traces_;
  AbsentLogStore logs_;
  AbsentMetricStore metrics_;
  RestApi api_{{traces_, logs_, metrics_, clock_, [] { return Figures{}; }, nullptr,
                [] { return std::string(); }}};
  QueryContext context_{.tenant = "acme"};
};

TEST_F(TraceSkeletonTest, SpansAreColumnsByTheirStart) {
  // Sent in another order than they start; the parent of the last one has not arrived.
  add("db", {{3, 2, 15, 5, "select", 2, 3}});
  add("shop", {{2, 1, 10, 30, "charge"}, {1, 0, 0, 100, "checkout"}, {4, 9, 50, 1, "late"}});
  const auto answer = get(kSkeleton, "7");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("spanCount":4)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("parent":[-1,0,1,-2])"));
  EXPECT_THAT(answer.body, HasSubstr(R"("start":[0,10000,5000,35000])"));
  EXPECT_THAT(answer.body, HasSubstr(R"("duration":[100000,30000,5000,1000])"));
  EXPECT_THAT(answer.body, HasSubstr(R"("kind":[2,2,3,2],"status":[0,0,2,0])"));
  EXPECT_THAT(answer.body, HasSubstr("\"startTimeUnixNano\":\"" + std::to_string(begin()) + '"'));
  EXPECT_THAT(answer.body, HasSubstr(R"(00000000000000010000000000000002)"));
}

TEST_F(TraceSkeletonTest, AParentThatStartsWithItsChildComesFirst) {
  add("shop", {{2, 1, 0, 30, "inner"}, {1, 0, 0, 100, "outer"}});
  EXPECT_THAT(get(kSkeleton, "7").body, HasSubstr(R"("parent":[-1,0])"));
}

TEST_F(TraceSkeletonTest, OneSpanComesWithItsResource) {
  add("shop", {{1, 0, 0, 100, "checkout"}, {2, 1, 10, 30, "charge"}});
  const auto answer = get(kSpan, "7", "2");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("name":"charge")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("stringValue":"shop")"));
  EXPECT_THAT(answer.body, Not(HasSubstr("checkout")));
}

TEST_F(TraceSkeletonTest, ErrorsSayWhatIsWrong) {
  add("shop", {{1, 0, 0, 100, "checkout"}});
  EXPECT_EQ(get(kSkeleton, "8").status, 404);
  EXPECT_THAT(get(kSkeleton, "8").body, HasSubstr("has no spans here"));
  EXPECT_EQ(get(kSpan, "7", "5").status, 404);
  for (const char* bad : {"0", "xyz", "123456789012345678901234567890123"}) {
    EXPECT_EQ(get(kSkeleton, bad).status, 400) << bad;
    EXPECT_EQ(get(kSpan, "7", bad).status, 400) << bad;
  }
  EXPECT_EQ(get(kSkeleton, "7", "", "start_time=5&end_time=4").status, 400);
  // Another time, another tenant.
  EXPECT_EQ(get(kSkeleton, "7", "", "start_time=5&end_time=6").status, 404);
  context_.tenant = "other";
  EXPECT_EQ(get(kSkeleton, "7").status, 404);
}

TEST_F(TraceSkeletonTest, SeriesAreOfTheSpansThatEnterAService) {
  add("shop", {{1, 0, 0, 100, "checkout"}, {2, 1, 10, 30, "charge", 2, 3}});
  add("job", {{3, 0, 0, 8, "nightly", 2, 1}});
  const auto services = ApiCaller(api_, context_).call("/api/v1/services/series");
  EXPECT_EQ(services.status, 200);
  EXPECT_THAT(services.body, HasSubstr(R"("stepSeconds":300)"));
  EXPECT_THAT(services.body,
              HasSubstr(R"({"name":"job","spans":"all","calls":1,"errors":1,"durationAvgMs":8,)"));
  EXPECT_THAT(services.body,
              HasSubstr(R"({"name":"shop","spans":"entering","calls":1,"errors":0,)"));
  const auto operations =
      ApiCaller(api_, context_).call("/api/v1/services/series", "service=shop&step=3600");
  EXPECT_THAT(operations.body, HasSubstr(R"("stepSeconds":3600)"));
  EXPECT_THAT(operations.body,
              HasSubstr(R"("operations":[{"name":"charge","spans":"all","calls":1)"));
  EXPECT_THAT(operations.body, HasSubstr(R"({"name":"checkout","spans":"entering","calls":1)"));
  EXPECT_EQ(ApiCaller(api_, context_).call("/api/v1/services/series", "step=x").status, 400);
  EXPECT_EQ(ApiCaller(api_, context_)
                .call("/api/v1/services/series", "start_time=0&end_time=1700000000&step=300")
                .status,
            400);
}

}  // namespace
}  // namespace spanway::query::rest
