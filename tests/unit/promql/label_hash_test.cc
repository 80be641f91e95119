#include "services/query/promql/label_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::query::promql {
namespace {

// The values that the algorithm's reference implementation gives.
TEST(LabelHash, IsXxh64) {
  EXPECT_EQ(xxh64(""), 0xef46db3751d8e999u);
  EXPECT_EQ(xxh64("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(xxh64("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(xxh64("No"
                  "body inspects the spammish repetition"),
            0xfbcea83c8a378bf1u);
}

TEST(LabelHash, IsThatOfNamesAndValuesBehindTheirLengths) {
  EXPECT_EQ(label_hash({}), xxh64(""));
  EXPECT_EQ(label_hash({{"__name__", "up"}, {"job", "a"}}),
            xxh64(std::string("\x08__name__\x02up\x03job\x01"
                              "a")));
  const std::string large(300, 'x');
  EXPECT_EQ(label_hash({{"a", large}}), xxh64(std::string("\x01"
                                                          "a\xff\x2c\x01\x00",
                                                          6) +
                                              large));
}

}  // namespace
}  // namespace spanway::query::promql
