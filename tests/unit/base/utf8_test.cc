#include "services/lib/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway {
namespace {

TEST(Utf8, DecodesEveryLength) {
  const std::pair<std::string_view, CodePoint> cases[] = {
      {"a", {'a', 1}},
      {"\x7f", {0x7f, 1}},
      {"\xc2\x80", {0x80, 2}},
      {"\xdf\xbf", {0x7ff, 2}},
      {"\xe0\xa0\x80", {0x800, 3}},
      {"\xef\xbf\xbf", {0xffff, 3}},
      {"\xf0\x90\x80\x80", {0x10000, 4}},
      {"\xf4\x8f\xbf\xbf", {0x10ffff, 4}},
  };
  for (const auto& [text, expected] : cases) {
    const CodePoint c = decode_utf8(text);
    EXPECT_EQ(c.value, expected.value);
    EXPECT_EQ(c.length, expected.length);
    EXPECT_TRUE(is_valid_utf8(text));
  }
}

TEST(Utf8, RefusesWhatIsNot) {
  for (const std::string_view text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82",
        "\xf0\x9f\x91", "\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28"}) {
    EXPECT_EQ(decode_utf8(text).length, 0U);
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_FALSE(is_valid_utf8("ab" + std::string(text)));
  }
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, TruncatesBetweenCharacters) {
  EXPECT_EQ(utf8_prefix("ab\xc3\xa4", 3), 2U);
  EXPECT_EQ(utf8_prefix("ab\xc3\xa4", 4), 4U);
  EXPECT_EQ(utf8_prefix("ab", 9), 2U);
  EXPECT_EQ(truncate_utf8("short", 5), "short");
  EXPECT_EQ(truncate_utf8("longer", 5), "lo...");
  EXPECT_EQ(truncate_utf8("a\xc3\xa4zzzz", 5), "a...");
}

TEST(Utf8, PrintsBrokenBytesAsQuestionMarks) {
  EXPECT_EQ(printable_utf8("a\xffz\xc3", 100), "a?z?");
  EXPECT_EQ(printable_utf8("ab\xc3\xa4", 3), "ab");
  EXPECT_EQ(printable_utf8("ab\xc3\xa4", 4), "ab\xc3\xa4");
}

}  // namespace
}  // namespace spanway
