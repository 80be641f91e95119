#include "services/lib/clickhouse/exception.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace spanway::clickhouse {
namespace {

http::Response response_of(int status, const std::string& code, const std::string& body) {
  http::Response response;
  response.status = status;
  if (!code.empty()) response.headers.add("x-clickhouse-exception-code", code);
  response.body = Bytes(body);
  return response;
}

TEST(Exception, KindsAreAscendingAndEachIsFound) {
  const auto kinds = exception_kinds();
  EXPECT_TRUE(std::is_sorted(kinds.begin(), kinds.end(),
                             [](const auto& a, const auto& b) { return a.code < b.code; }));
  for (const ExceptionKind& kind : kinds) {
    EXPECT_EQ(error_of(kind.code, "").refusal, kind.refusal) << kind.name;
    EXPECT_NE(kind.refusal, Refusal::kUnknown) << kind.name;
  }
}

TEST(Exception, TheCodeDecidesAndNotTheStatus) {
  const Error full = error_of(response_of(500, "243", "Code: 243. No space"), {});
  EXPECT_EQ(full.refusal, Refusal::kTransient);
  EXPECT_STREQ(full.reason, "clickhouse_disk_full");
  EXPECT_EQ(error_of(response_of(404, "60", "no table"), {}).refusal, Refusal::kConfiguration);
  EXPECT_EQ(error_of(response_of(500, "33", "short"), {}).refusal, Refusal::kData);
}

TEST(Exception, TooManyPartsWaitsForMerges) {
  const Error error = error_of(252, "Too many parts");
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  ASSERT_TRUE(error.retry_after.has_value());
  EXPECT_GE(*error.retry_after, std::chrono::seconds(5));
}

TEST(Exception, AnUnknownCodeIsUnknown) {
  EXPECT_EQ(error_of(395, "throwIf").refusal, Refusal::kUnknown);
  EXPECT_EQ(error_of(-1, "").refusal, Refusal::kUnknown);
}

TEST(Exception, AProxysAnswerMeansWhatItsStatusSays) {
  EXPECT_EQ(error_of(response_of(503, "", "busy"), {}).refusal, Refusal::kTransient);
  EXPECT_EQ(error_of(response_of(401, "", "who"), {}).refusal, Refusal::kConfiguration);
  EXPECT_EQ(error_of(response_of(413, "", "large"), {}).refusal, Refusal::kData);
  EXPECT_EQ(error_of(response_of(503, "not a number", ""), {}).refusal, Refusal::kTransient);
}

TEST(Exception, ARefusalWithoutAnExceptionIsNotOfTheRows) {
  const Error port = error_of(response_of(400, "", "Port 9000 is for clickhouse-client"), {});
  EXPECT_EQ(port.refusal, Refusal::kConfiguration);
  EXPECT_STREQ(port.reason, "not_clickhouse");
  EXPECT_NE(port.message.find("HTTP 400: Port 9000"), std::string::npos) << port.message;
  EXPECT_NE(port.message.find("8123"), std::string::npos);
  for (const int status : {404, 422})
    EXPECT_STREQ(error_of(response_of(status, "", ""), {}).reason, "not_clickhouse") << status;
}

TEST(Exception, AStackTraceIsNotKept) {
  const Error error = error_of(241, "Memory limit\n" + std::string(100'000, 'x'));
  EXPECT_LT(error.message.size(), 200u);
  EXPECT_LT(error_of(241, std::string(100'000, 'x')).message.size(), 3000u);
}

}  // namespace
}  // namespace spanway::clickhouse
