#include "services/lib/objectstore/s3_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spanway::objectstore {
namespace {

using testing::HasSubstr;
using testing::Not;

const SystemTime kNow{std::chrono::seconds(1'767'225'600)};  // 2026-01-01T00:00:00Z

http::Response answer(int status, const std::string& body = "") {
  http::Response response;
  response.status = status;
  response.body = Bytes(body);
  return response;
}
std::string xml(std::string_view code, std::string_view more = "") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + std::string(code) +
         "</Code><Message>text of " + std::string(code) + "</Message>" + std::string(more) +
         "</Error>";
}

struct Expected {
  int status;
  const char* code;
  Refusal refusal;
  const char* reason;
};

class S3Errors : public testing::TestWithParam<Expected> {};

TEST_P(S3Errors, HaveTheirKind) {
  const Expected& expected = GetParam();
  const Error error =
      s3_error(answer(expected.status, *expected.code == '\0' ? "" : xml(expected.code)), kNow);
  EXPECT_EQ(error.refusal, expected.refusal) << error.message;
  EXPECT_STREQ(error.reason, expected.reason);
  EXPECT_THAT(error.message, HasSubstr("HTTP " + std::to_string(expected.status)));
  EXPECT_THAT(error.message, HasSubstr(expected.code));
}

INSTANTIATE_TEST_SUITE_P(
    ByCodeOrStatus, S3Errors,
    testing::Values(
        Expected{404, "NoSuchBucket", Refusal::kConfiguration, "s3_no_such_bucket"},
        Expected{400, "ExpiredToken", Refusal::kConfiguration, "s3_expired_credentials"},
        Expected{403, "AccessDenied", Refusal::kConfiguration, "s3_access_denied"},
        Expected{403, "InvalidAccessKeyId", Refusal::kConfiguration, "s3_bad_credentials"},
        Expected{403, "SignatureDoesNotMatch", Refusal::kConfiguration, "s3_bad_credentials"},
        Expected{403, "RequestTimeTooSkewed", Refusal::kConfiguration, "s3_clock_skew"},
        Expected{301, "PermanentRedirect", Refusal::kConfiguration, "s3_wrong_region"},
        Expected{400, "AuthorizationHeaderMalformed", Refusal::kConfiguration, "s3_wrong_region"},
        Expected{405, "MethodNotAllowed", Refusal::kConfiguration, "s3_read_only"},
        Expected{404, "NoSuchKey", Refusal::kConfiguration, "s3_no_such_key"},
        Expected{412, "PreconditionFailed", Refusal::kConfiguration, "s3_precondition_failed"},
        Expected{503, "SlowDown", Refusal::kTransient, "s3_slow_down"},
        Expected{500, "InternalError", Refusal::kTransient, "s3_unavailable"},
        Expected{400, "RequestTimeout", Refusal::kTransient, "s3_timeout"},
        Expected{400, "BadDigest", Refusal::kTransient, "s3_checksum"},
        Expected{409, "OperationAborted", Refusal::kTransient, "s3_conflict"},
        Expected{507, "XMinioStorageFull", Refusal::kTransient, "s3_full"},
        Expected{400, "EntityTooLarge", Refusal::kData, "s3_too_large"},
        // Without a code that is known.
        Expected{403, "", Refusal::kConfiguration, "s3_access_denied"},
        Expected{404, "", Refusal::kConfiguration, "s3_not_found"},
        Expected{400, "SomethingNew", Refusal::kConfiguration, "s3_refused"},
        Expected{413, "", Refusal::kData, "s3_too_large"},
        Expected{429, "", Refusal::kTransient, "s3_slow_down"},
        Expected{500, "SomethingNew", Refusal::kTransient, "s3_unavailable"},
        Expected{502, "", Refusal::kTransient, "s3_unavailable"},
        Expected{503, "", Refusal::kTransient, "s3_slow_down"},
        Expected{507, "", Refusal::kTransient, "s3_full"}));

TEST(S3Error, NoCodeHasTwoRows) {
  std::set<std::string_view> codes;
  for (const S3ErrorKind& kind : s3_error_kinds())
    EXPECT_TRUE(codes.insert(kind.code).second) << kind.code;
}

TEST(S3Error, ARedirectNamesRegionAndEndpoint) {
  http::Response response =
      answer(301, xml("PermanentRedirect", "<Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint>"));
  response.headers.add("x-amz-bucket-region", "eu-west-1");
  const Error error = s3_error(response, kNow);
  EXPECT_THAT(error.message, HasSubstr("region eu-west-1"));
  EXPECT_THAT(error.message, HasSubstr("b.s3-eu-west-1.amazonaws.com"));
}

TEST(S3Error, AClockSkewNamesBothClocks) {
  http::Response response = answer(403, xml("RequestTimeTooSkewed"));
  response.headers.add("date", "Thu, 01 Jan 2026 01:00:00 GMT");
  const Error error = s3_error(response, kNow);
  EXPECT_THAT(error.message, HasSubstr("2026-01-01T00:00:00"));
  EXPECT_THAT(error.message, HasSubstr("01:00:00 GMT"));
}

TEST(S3Error, SlowDownSaysWhenToComeBack) {
  http::Response response = answer(503, xml("SlowDown"));
  response.headers.add("retry-after", "7");
  EXPECT_EQ(s3_error(response, kNow).retry_after, std::chrono::seconds(7));
}

TEST(S3Error, ATruncatedOrStrangeBodyIsReadAsFarAsItGoes) {
  EXPECT_STREQ(s3_error(answer(403, "<Error><Code>InvalidAccessKeyId</Code><Mess"), kNow).reason,
               "s3_bad_credentials");
  const Error page = s3_error(answer(404, "<html>" + std::string(5000, 'x')), kNow);
  EXPECT_LT(page.message.size(), 1000u);
  EXPECT_THAT(page.message, Not(HasSubstr("xxx")));
}

TEST(S3Error, ASuccessThatHoldsAnErrorHasFailed) {
  EXPECT_TRUE(is_failed_success(answer(200, xml("InternalError"))));
  EXPECT_FALSE(is_failed_success(answer(200, "<CompleteMultipartUploadResult/>")));
}

}  // namespace
}  // namespace spanway::objectstore
