#include "services/lib/base/ascii.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

TEST(Ascii, ChangesTheCaseOfAsciiLettersOnly) {
  EXPECT_EQ(to_lower("AZaz@[`{09 \xc3\x84"), "azaz@[`{09 \xc3\x84");
  EXPECT_EQ(to_lower('Q'), 'q');
}

TEST(Ascii, ComparesWithoutRegardToCase) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_TRUE(equals_ignoring_case("GZip", "gzIP"));
  EXPECT_FALSE(equals_ignoring_case("gzip", "gzip "));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4"));
}

TEST(Ascii, TrimsBothEnds) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\na\r\n"), "\na\r\n");
  EXPECT_EQ(trim("\na\r\n", kWhiteSpace), "a");
  EXPECT_EQ(trim_end(" a\r\n", "\r\n"), " a");
  EXPECT_EQ(trim_end("\r\n", "\r\n"), "");
}

}  // namespace
}  // namespace spanway
