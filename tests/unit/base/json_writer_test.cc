#include "services/lib/base/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace spanway {
namespace {

std::string escaped(std::string_view text, std::size_t bytes_max = 1000) {
  std::string out;
  append_json_escaped(out, text, bytes_max);
  return out;
}

TEST(JsonEscape, LeavesTextAlone) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("plain text, = and ' too"), "plain text, = and ' too");
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f\xf0\x9f\x91\x8b"), "gr\xc3\xbc\xc3\x9f\xf0\x9f\x91\x8b");
}

TEST(JsonEscape, MakesControlCharactersVisible) {
  EXPECT_EQ(escaped("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(escaped("\x1b[31m"), "\\u001b[31m");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\u0000");
  EXPECT_EQ(escaped("\x7f"), "\\u007f");
  EXPECT_EQ(escaped("\"\\"), "\\\"\\\\");
  EXPECT_EQ(escaped("\xc2\x85"), "\\u0085");
  EXPECT_EQ(escaped("\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6"), "\\u2028\\u202e\\u2066");
  EXPECT_EQ(escaped("\xef\xbb\xbf"), "\\ufeff");
}

TEST(JsonEscape, ReplacesInvalidUtf8) {
  EXPECT_EQ(escaped("a\xff"
                    "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(escaped("\xc3"), "\xef\xbf\xbd");
}

TEST(JsonEscape, TruncatesBetweenCharacters) {
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
  EXPECT_EQ(escaped("abc", 3), "abc");
  EXPECT_EQ(escaped("ab\xc3\xa4", 3), "ab...");
  EXPECT_EQ(escaped("a", 0), "...");
}

TEST(JsonEscape, AsGoEscapesOnlyWhatGoDoes) {
  const auto as_go = [](std::string_view text) {
    std::string out = "x";
    append_json_escaped_as_go(out, text);
    return out;
  };
  EXPECT_EQ(as_go("a\b\f\n\r\t\"\\\x01<&>"), "xa\\b\\f\\n\\r\\t\\\"\\\\\\u0001<&>");
  EXPECT_EQ(as_go("\xe2\x80\xa8\xe2\x80\xa9"), "x\\u2028\\u2029");
  EXPECT_EQ(as_go("\x7f\xc2\x85\xe2\x80\xae\xef\xbb\xbf"), "x\x7f\xc2\x85\xe2\x80\xae\xef\xbb\xbf");
  EXPECT_EQ(as_go("\xff\xe2\x80\xa8\xc3"), "x\xff\\u2028\xc3");
  EXPECT_EQ(as_go(""), "x");
}

TEST(JsonQuoted, HasItsQuotes) { EXPECT_EQ(json_quoted("a\"b", 2), "\"a\\\"...\""); }

TEST(JsonWriter, WritesEveryKindOfValue) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .member("text", "a\n")
      .member("string", std::string("b"))
      .member("yes", true)
      .member("negative", -5)
      .member("largest", std::numeric_limits<std::uint64_t>::max())
      .member("smallest", std::numeric_limits<std::int64_t>::min())
      .member("half", 0.5)
      .member("nan", std::numeric_limits<double>::quiet_NaN());
  json.key("fixed").fixed(1.0 / 3, 3);
  json.key("nothing").null().key("raw").raw("[1]").end_object();
  EXPECT_EQ(out,
            R"({"text":"a\n","string":"b","yes":true,"negative":-5,"largest":18446744073709551615,)"
            R"("smallest":-9223372036854775808,"half":0.5,"nan":null,"fixed":0.333,"nothing":null,)"
            R"("raw":[1]})");
}

TEST(JsonWriter, NestsAndSeparates) {
  std::string out = "x = ";
  JsonWriter json(out);
  json.begin_array().begin_object().end_object().begin_array().end_array().value(1);
  json.begin_object().begin_array("a").value("b").value("c").end_array().member("d", 2);
  json.begin_object("e").end_object().end_object().end_array();
  EXPECT_EQ(out, R"(x = [{},[],1,{"a":["b","c"],"d":2,"e":{}}])");
}

TEST(JsonWriter, EscapesKeysAndTruncatesTexts) {
  std::string out;
  JsonWriter(out, 4).begin_object().member("\"long key\"", "123456").end_object();
  EXPECT_EQ(out, R"({"\"long key\"":"1234..."})");
}

TEST(JsonWriterDeathTest, WrongNestingIsABug) {
  std::string out;
  EXPECT_DEATH(JsonWriter(out).begin_object().value(1), "check failed");
  EXPECT_DEATH(JsonWriter(out).begin_array().key("a"), "check failed");
  EXPECT_DEATH(JsonWriter(out).begin_object().key("a").end_object(), "check failed");
  EXPECT_DEATH(JsonWriter(out).begin_object().end_array(), "check failed");
  EXPECT_DEATH(JsonWriter(out).value(1).value(2), "check failed");
  EXPECT_DEATH(
      {
        JsonWriter json(out);
        for (int i = 0; i < 100; ++i) json.begin_array();
      },
      "check failed");
}

}  // namespace
}  // namespace spanway
