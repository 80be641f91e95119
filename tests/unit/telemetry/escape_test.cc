#include "services/lib/telemetry/escape.h"

#include <gtest/gtest.h>

namespace spanway::telemetry {
namespace {

std::string escaped(std::string_view text, std::size_t bytes_max = 1000) {
  std::string out;
  append_escaped(out, text, bytes_max);
  return out;
}

TEST(Escape, LeavesTextAlone) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("plain text, = and ' too"), "plain text, = and ' too");
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f\xf0\x9f\x91\x8b"), "gr\xc3\xbc\xc3\x9f\xf0\x9f\x91\x8b");
}

TEST(Escape, MakesControlCharactersVisible) {
  EXPECT_EQ(escaped("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(escaped("\x1b[31m"), "\\u001b[31m");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\u0000");
  EXPECT_EQ(escaped("\x7f"), "\\u007f");
  EXPECT_EQ(escaped("\"\\"), "\\\"\\\\");
  EXPECT_EQ(escaped("\xc2\x85"), "\\u0085");
  EXPECT_EQ(escaped("\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6"), "\\u2028\\u202e\\u2066");
}

TEST(Escape, ReplacesBadUtf8) {
  EXPECT_EQ(escaped("a\xff"
                    "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(escaped("\xc3"), "\xef\xbf\xbd");
}

TEST(Escape, CutsBetweenCharacters) {
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
  EXPECT_EQ(escaped("abc", 3), "abc");
  EXPECT_EQ(escaped("ab\xc3\xa4", 3), "ab...");
}

TEST(IsPlainWord, NeedsNoQuotes) {
  for (const char* word : {"a", "localhost:4317", "a/b-c_d.e", "\xc3\xa4"})
    EXPECT_TRUE(is_plain_word(word)) << word;
  for (const char* word : {"", "a b", "a=b", "a\"b", "a\\b", "a\nb", "\x7f"})
    EXPECT_FALSE(is_plain_word(word)) << word;
}

}  // namespace
}  // namespace spanway::telemetry
