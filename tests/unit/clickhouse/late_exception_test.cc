#include "services/lib/clickhouse/late_exception.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace spanway::clickhouse {
namespace {

constexpr std::string_view kTag = "eoislwjaoddmallc";

// As a server of 26.7 ends an answer.
std::string ended_by(const std::string& text) {
  return "\r\n__exception__\r\n" + std::string(kTag) + "\r\n" + text + "\n" +
         std::to_string(text.size()) + " " + std::string(kTag) + "\r\n__exception__\r\n";
}

TEST(LateException, IsFoundBehindRows) {
  const auto error =
      find_late_exception("rows" + ended_by("Code: 158. DB::Exception: too many rows"), kTag);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kResourceExhausted);
  EXPECT_THAT(error->message, testing::HasSubstr("too many rows"));
}

TEST(LateException, NeedsTheTagOfTheAnswer) {
  EXPECT_FALSE(find_late_exception("rows" + ended_by("Code: 158. x"), "othertagothertag"));
  EXPECT_FALSE(find_late_exception("rows" + ended_by("Code: 158. x"), ""));
  EXPECT_FALSE(find_late_exception("rows", kTag));
}

TEST(LateException, WithoutACodeIsUnknown) {
  const auto error = find_late_exception(ended_by("something"), kTag);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->refusal, Refusal::kUnknown);
}

}  // namespace
}  // namespace spanway::clickhouse
