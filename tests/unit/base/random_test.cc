#include "services/lib/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace spanway {
namespace {

TEST(Random, RepeatsFromItsSeed) {
  Random a(1), b(1), c(2);
  bool differs = false;
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    differs = differs || value != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, StaysWithinItsBounds) {
  Random random(3);
  std::array<int, 10> hits{};
  for (int i = 0; i < 10'000; ++i) {
    const double unit = random.next_unit();
    EXPECT_GE(unit, 0.0);
    EXPECT_LT(unit, 1.0);
    ++hits.at(random.next_below(10));
  }
  for (const int count : hits) EXPECT_GT(count, 800);
  EXPECT_EQ(random.next_below(0), 0U);
  EXPECT_EQ(random.next_below(1), 0U);
}

TEST(Random, FromEntropyDiffers) {
  EXPECT_NE(Random::from_entropy().next(), Random::from_entropy().next());
}

}  // namespace
}  // namespace spanway
