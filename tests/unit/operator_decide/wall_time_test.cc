#include "operator/decide/wall_time.h"

#include <gtest/gtest.h>

namespace spanway::decide {
namespace {

TEST(WallTime, ReadsWhatTheApiServerWrites) {
  EXPECT_EQ(unix_ms(*parse_wall_time("1970-01-01T00:00:01Z")), 1000);
  EXPECT_EQ(unix_ms(*parse_wall_time("2026-11-21T12:26:28Z")), 1'795'263'988'000);
  EXPECT_EQ(unix_ms(*parse_wall_time("2026-11-21T12:26:28.250000Z")), 1'795'263'988'250);
  EXPECT_EQ(unix_ms(*parse_wall_time("2024-02-29T23:59:59.9999999999Z")), 1'709'251'199'999);
}

TEST(WallTime, RefusesTheRest) {
  for (const char* text :
       {"", "Z", "2026-11-21", "2026-11-21T12:26:28", "2026-11-21T12:26:28+01:00",
        "2026-13-21T12:26:28Z", "2026-02-30T12:26:28Z", "2026-11-21T24:26:28Z",
        "2026-11-21 12:26:28Z", "2026-11-21T12:26:2xZ", "2026-11-21T12:26:28.Z",
        "2026-11-21T12:26:28,5Z", "-026-11-21T12:26:28Z", "9999-11-21T12:26:28Z"}) {
    EXPECT_FALSE(parse_wall_time(text).has_value()) << text;
  }
}

TEST(WallTime, IsReadAsItWasWritten) {
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{1}, std::int64_t{999},
                                std::int64_t{1'795'263'988'250}, std::int64_t{1'709'251'199'000}}) {
    const auto time = parse_wall_time(wall_time_text(ms));
    ASSERT_TRUE(time.has_value()) << wall_time_text(ms);
    EXPECT_EQ(unix_ms(*time), ms);
  }
  EXPECT_EQ(wall_time_text(1'795'263'988'000), "2026-11-21T12:26:28Z");
  EXPECT_EQ(wall_time_text(1'795'263'988'050), "2026-11-21T12:26:28.050Z");
}

}  // namespace
}  // namespace spanway::decide
