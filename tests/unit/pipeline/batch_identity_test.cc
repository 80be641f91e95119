#include "services/lib/pipeline/batch_identity.h"

#include <gtest/gtest.h>

namespace spanway::pipeline {
namespace {

TEST(BatchIdentity, APartKeepsTheNameOfItsBatch) {
  const BatchIdentity part{.batch = "t:0:1-2:acme", .first = 4, .count = 8};
  EXPECT_EQ(to_string(part), "t:0:1-2:acme~4+8");
  EXPECT_EQ(parse_batch_identity("t:0:1-2:acme~4+8"), part);
  EXPECT_TRUE(parse_batch_identity("t:0:1-2:acme").is_unsplit());
  EXPECT_EQ(to_string(parse_batch_identity("t:0:1-2:acme")), "t:0:1-2:acme");
}

TEST(BatchIdentity, OtherTextsAreUndividedBatches) {
  for (const char* text :
       {"", "~", "a~", "a~1", "a~1+", "a~+1", "a~1+0", "a~x+1", "a~1+1x", "a~-1+1"}) {
    EXPECT_TRUE(parse_batch_identity(text).is_unsplit()) << text;
    EXPECT_EQ(to_string(parse_batch_identity(text)), text);
  }
}

TEST(BatchIdentity, APartLiesInWhatHoldsAllItsItems) {
  const BatchIdentity undivided{.batch = "b"}, part{.batch = "b", .first = 4, .count = 8};
  EXPECT_TRUE(part.lies_in(undivided));
  EXPECT_TRUE(part.lies_in(part));
  EXPECT_TRUE((BatchIdentity{.batch = "b", .first = 8, .count = 4}.lies_in(part)));
  EXPECT_FALSE((BatchIdentity{.batch = "b", .first = 8, .count = 5}.lies_in(part)));
  EXPECT_FALSE((BatchIdentity{.batch = "b", .first = 3, .count = 4}.lies_in(part)));
  EXPECT_FALSE((BatchIdentity{.batch = "c", .first = 4, .count = 8}.lies_in(part)));
  EXPECT_FALSE((BatchIdentity{.batch = "b", .first = 5, .count = ~std::uint64_t{0}}.lies_in(part)));
  EXPECT_FALSE(undivided.lies_in(part));
}

}  // namespace
}  // namespace spanway::pipeline
