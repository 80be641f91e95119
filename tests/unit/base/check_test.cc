#include "services/lib/base/check.h"

#include <gtest/gtest.h>

#include <string_view>

namespace spanway {
namespace {

TEST(CheckDeathTest, SaysWhatAndWhere) {
  const bool sky_is_blue = false;
  EXPECT_DEATH(SPANWAY_CHECK(sky_is_blue), "check failed: sky_is_blue at .*check_test.cc:");
}

TEST(Check, PassesSilently) { SPANWAY_CHECK(1 + 1 == 2); }

TEST(CountBug, CountsAndKeepsTheSite) {
  const auto before = bug_count();
  count_bug("check_test");
  EXPECT_EQ(bug_count(), before + 1);
  EXPECT_EQ(std::string_view(last_bug_site()), "check_test");
}

}  // namespace
}  // namespace spanway
