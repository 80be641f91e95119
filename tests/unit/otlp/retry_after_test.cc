#include "services/lib/otlp/retry_after.h"

#include <gtest/gtest.h>

namespace spanway::otlp {
namespace {

using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:37 GMT, the date of the RFC's examples.
constexpr std::chrono::system_clock::time_point kDate{std::chrono::seconds(784'111'777)};

TEST(RetryAfter, ReadsSeconds) {
  EXPECT_EQ(parse_retry_after("120", kDate), 2min);
  EXPECT_EQ(parse_retry_after(" 0 ", kDate), 0s);
  EXPECT_EQ(parse_retry_after("3601", kDate), kRetryAfterMax);
  EXPECT_EQ(parse_retry_after("99999999999999999999999", kDate), kRetryAfterMax);
}

TEST(RetryAfter, ReadsTheThreeFormsOfDates) {
  const auto before = kDate - 42s;
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", before), 42s);
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", before), 42s);
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:49:37 1994", before), 42s);
}

TEST(RetryAfter, DatesOfThePastAndTheFarFutureAreClamped) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kDate + 1h), 0s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 2094 08:49:37 GMT", kDate), kRetryAfterMax);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 9999 08:49:37 GMT", kDate), kRetryAfterMax);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 0001 08:49:37 GMT", kDate), 0s);
}

TEST(RetryAfter, RefusesAnythingElse) {
  for (const char* text :
       {"", " ", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, ",
        "Sun, 06 Nov 1994 08:49:37 GMT and more", "Sun Nov  6 08:49:37", "Sun",
        "Sun, -6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_retry_after(text, kDate), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace spanway::otlp
