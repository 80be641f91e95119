#include "services/load/seen_set.h"

#include <gtest/gtest.h>

#include <set>

#include "services/lib/base/random.h"

namespace spanway::load {
namespace {

TEST(SeenSet, DistinguishesNewFromSeen) {
  SeenSet set;
  EXPECT_TRUE(set.add(1));
  EXPECT_TRUE(set.add(65'536));
  EXPECT_FALSE(set.add(1));
  EXPECT_EQ(set.size(), 2u);
  EXPECT_EQ(set.highest(), 65'536u);
}

TEST(SeenSet, CountsRangesAsASetOfNumbersDoes) {
  SeenSet set;
  std::set<std::uint64_t> model;
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t number = random.next_below(200'000);
    EXPECT_EQ(set.add(number), model.insert(number).second);
  }
  EXPECT_EQ(set.size(), model.size());
  for (int i = 0; i < 2'000; ++i) {
    const std::uint64_t first = random.next_below(210'000);
    const std::uint64_t count = random.next_below(1'000);
    const auto expected = std::distance(model.lower_bound(first), model.lower_bound(first + count));
    ASSERT_EQ(set.count_in(first, count), static_cast<std::uint64_t>(expected))
        << first << " " << count;
  }
  EXPECT_EQ(set.count_in(0, 1'000'000), model.size());
}

TEST(SeenSet, HoldsTheLargestNumberInLittleMemory) {
  SeenSet set;
  EXPECT_TRUE(set.add(SeenSet::kNumberMax));
  EXPECT_FALSE(set.add(SeenSet::kNumberMax));
  EXPECT_EQ(set.count_in(SeenSet::kNumberMax, 1), 1u);
  EXPECT_EQ(set.count_in(0, 1'000'000), 0u);
}

}  // namespace
}  // namespace spanway::load
