// Parameters of Loki's API, with its defaults and in its words.
#include "services/query/api/loki/loki_parameters.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::query::loki {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'700'000'000 * kSecond;

Parameters parameters(const std::string& text) {
  Parameters result;
  EXPECT_TRUE(result.parse(text).ok());
  return result;
}

TEST(LokiParameters, TimesHaveThreeForms) {
  EXPECT_EQ(*parse_time("1700000000"), kNow);
  EXPECT_EQ(*parse_time("1700000000000000005"), kNow + 5);
  EXPECT_EQ(*parse_time("1700000000.5"), kNow + kSecond / 2);
  EXPECT_EQ(*parse_time("2023-11-14T22:13:20Z"), kNow);
  EXPECT_EQ(*parse_time("2023-11-15T00:13:20.000000007+02:00"), kNow + 7);
  for (const char* text : {"", "x", "2023-11-14", "2023-13-14T22:13:20Z", "2023-11-14T22:13:20"})
    EXPECT_FALSE(parse_time(text).ok()) << text;
}

TEST(LokiParameters, WithoutThemTheLastHourNewestFirst) {
  const auto query = parse_range_query(parameters(""), kNow);
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->end, kNow);
  EXPECT_EQ(query->start, kNow - 3600 * kSecond);
  EXPECT_EQ(query->step, 14 * kSecond);
  EXPECT_EQ(query->limit, 100u);
  EXPECT_TRUE(query->is_newest_first);
  const auto own = parse_range_query(
      parameters("since=10m&step=1m30s&interval=5&limit=7&direction=FORWARD"), kNow);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->start, kNow - 600 * kSecond);
  EXPECT_EQ(own->step, 90 * kSecond);
  EXPECT_EQ(own->interval, 5 * kSecond);
  EXPECT_EQ(own->limit, 7u);
  EXPECT_FALSE(own->is_newest_first);
}

TEST(LokiParameters, MistakesAreNamedAsByLoki) {
  const auto mistake = [](const std::string& text) {
    return parse_range_query(parameters(text), kNow).error().message;
  };
  EXPECT_EQ(mistake("start=x"), "could not parse 'start' parameter: cannot parse \"x\" as a time");
  EXPECT_EQ(mistake("start=5&end=4"), "end timestamp must not be before or equal to start time");
  EXPECT_EQ(mistake("limit=0"), "limit must be a positive value");
  EXPECT_EQ(mistake("limit=x"), "strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(mistake("direction=up"), "invalid direction 'up'");
  EXPECT_EQ(mistake("step=x"), "cannot parse \"x\" to a valid duration");
  EXPECT_EQ(
      mistake("step=0"),
      "zero or negative query resolution step widths are not accepted. Try a positive integer");
  EXPECT_EQ(
      mistake("start=0&end=20000&step=1"),
      "exceeded maximum resolution of 11,000 points per time series. Try increasing the value "
      "of the step parameter");
  EXPECT_EQ(mistake("interval=-1"), "interval must be >= 0");
}

}  // namespace
}  // namespace spanway::query::loki
