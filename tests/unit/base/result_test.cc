#include "services/lib/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace spanway {
namespace {

Result<int> parse(int number) {
  if (number < 0) return invalid_argument("negative").with_reason("negative");
  return number;
}
Status check(int number) {
  SPANWAY_TRY(parse(number));
  return {};
}
Result<int> add(int a, int b) {
  SPANWAY_ASSIGN(const int left, parse(a));
  SPANWAY_ASSIGN(const int right, parse(b));
  return left + right;
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = parse(1);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(static_cast<bool>(good));
  EXPECT_EQ(*good, 1);
  const Result<int> bad = parse(-1);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_EQ(bad.error().refusal, Refusal::kData);
  EXPECT_STREQ(bad.error().reason, "negative");
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Result, TryPassesErrorsOn) {
  EXPECT_TRUE(check(1).ok());
  EXPECT_EQ(check(-1).error().message, "negative");
}

TEST(Result, AssignPassesErrorsOnAndEvaluatesOnce) {
  EXPECT_EQ(*add(1, 2), 3);
  EXPECT_FALSE(add(1, -2).ok());
  EXPECT_FALSE(add(-1, 2).ok());
}

TEST(Status, IsOkByDefault) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(ok_status().ok());
  const Status bad = unavailable("down");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().refusal, Refusal::kTransient);
}

TEST(ResultDeathTest, TheOtherAlternativeIsABugOfOurs) {
  EXPECT_DEATH(static_cast<void>(parse(-1).value()), "check failed");
  EXPECT_DEATH(static_cast<void>(parse(1).error()), "check failed");
  EXPECT_DEATH(static_cast<void>(Status().error()), "check failed");
}

TEST(Error, CarriesContextReasonAndWait) {
  const Error error = transient_error(Code::kUnavailable, "refused")
                          .with_context("connect")
                          .with_context("kafka")
                          .with_reason("kafka_down")
                          .with_retry_after(std::chrono::milliseconds(250));
  EXPECT_EQ(error.message, "kafka: connect: refused");
  EXPECT_STREQ(error.reason, "kafka_down");
  EXPECT_EQ(error.retry_after, std::chrono::milliseconds(250));
}

TEST(Error, MakersSetTheKindOfRefusal) {
  EXPECT_EQ(transient_error(Code::kAborted, "").refusal, Refusal::kTransient);
  EXPECT_EQ(data_error(Code::kAborted, "").refusal, Refusal::kData);
  EXPECT_EQ(configuration_error(Code::kAborted, "").refusal, Refusal::kConfiguration);
  EXPECT_EQ(unknown_error(Code::kAborted, "").refusal, Refusal::kUnknown);
  EXPECT_EQ(unknown_error(Code::kAborted, "").code, Code::kAborted);
}

TEST(Code, HasGrpcsNumbersAndNames) {
  const char* const names[] = {"OK",
                               "CANCELLED",
                               "UNKNOWN",
                               "INVALID_ARGUMENT",
                               "DEADLINE_EXCEEDED",
                               "NOT_FOUND",
                               "ALREADY_EXISTS",
                               "PERMISSION_DENIED",
                               "RESOURCE_EXHAUSTED",
                               "FAILED_PRECONDITION",
                               "ABORTED",
                               "OUT_OF_RANGE",
                               "UNIMPLEMENTED",
                               "INTERNAL",
                               "UNAVAILABLE",
                               "DATA_LOSS",
                               "UNAUTHENTICATED"};
  for (int i = 0; i < 17; ++i) EXPECT_EQ(to_string(static_cast<Code>(i)), names[i]);
  EXPECT_EQ(to_string(static_cast<Code>(99)), "UNKNOWN");
  EXPECT_EQ(to_string(Refusal::kTransient), "transient");
  EXPECT_EQ(to_string(Refusal::kData), "data");
  EXPECT_EQ(to_string(Refusal::kConfiguration), "configuration");
  EXPECT_EQ(to_string(Refusal::kUnknown), "unknown");
}

}  // namespace
}  // namespace spanway
