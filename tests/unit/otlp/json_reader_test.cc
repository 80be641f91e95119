#include "services/lib/otlp/json_reader.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace spanway::otlp {
namespace {

class Words final : public BracketStack {
 public:
  explicit Words(std::size_t words_max) : words_max_(words_max) {}
  bool push(std::uint64_t word) override {
    if (words_.size() == words_max_) return false;
    words_.push_back(word);
    return true;
  }
  std::uint64_t pop() override {
    const std::uint64_t word = words_.back();
    words_.pop_back();
    return word;
  }

 private:
  const std::size_t words_max_;
  std::vector<std::uint64_t> words_;
};

// Null when `text` is one JSON value.
const char* problem_of(std::string_view text, std::size_t words_max = 10'000) {
  JsonReader reader(text, 64);
  Words words(words_max);
  if (reader.skip_value(words)) reader.finish();
  return reader.problem();
}

std::string unescaped(std::string_view text) {
  JsonReader reader(text, 1);
  JsonString string;
  EXPECT_TRUE(reader.read_string(string)) << text;
  std::string out(string.raw.size(), '\0');
  out.resize(JsonReader::unescape(string, out.data()));
  return out;
}

TEST(JsonReader, TakesWhatTheGrammarTakes) {
  for (const char* text :
       {"{}",          "[]",
        "0",           "-0",
        "-0.0e-0",     "1.25E+10",
        "\"\"",        "true",
        "false",       "null",
        " [ ] ",       "\t\r\n{ \"a\" : [ 1 , 2 , { \"b\" : null } ] , \"a\" : \"\\u0041\" }\n",
        "[[[[[]]]]]",  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "{\"\":0}",    "123456789012345678901234567890",
        "1e400",       "\"\\ud83d\\ude00\"",
        "\"\\u0000\"", "\"\x7f\""}) {
    EXPECT_EQ(problem_of(text), nullptr) << text;
  }
}

TEST(JsonReader, RefusesWhatTheGrammarRefuses) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "[1}",
                           "{]",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1 \"b\":2}",
                           "{a:1}",
                           "{'a':1}",
                           "{1:1}",
                           "{null:1}",
                           "01",
                           "-01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1.e1",
                           "1e",
                           "1e+",
                           "1..2",
                           "1-2",
                           "0x1",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "nul",
                           "nulll",
                           "True",
                           "tru",
                           "fals",
                           "undefined",
                           "\"",
                           "\"a",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u\"",
                           "\"\\u12\"",
                           "\"\\u123g\"",
                           "\"\\",
                           "\"\\u",
                           "\"\t\"",
                           "\"\n\"",
                           "\"\\ud800\\u\"",
                           "{} {}",
                           "1 1",
                           "{}x",
                           "[]]",
                           "// c\n1",
                           "/**/1",
                           "[1] // c",
                           "'a'",
                           "`a`",
                           "\v1",
                           "\xc2\xa0"
                           "1"}) {
    EXPECT_NE(problem_of(text), nullptr) << text;
  }
  EXPECT_NE(problem_of(std::string_view("\0", 1)), nullptr);
  EXPECT_NE(problem_of(std::string_view("\"\0\"", 3)), nullptr);
  EXPECT_NE(problem_of(std::string_view("1\0", 2)), nullptr);
}

TEST(JsonReader, BoundsTheDepthOfWhatIsOpened) {
  const std::string text = "[[{}]]";
  JsonReader reader(text, 2);
  ASSERT_TRUE(reader.open_array() && reader.next_element());
  EXPECT_TRUE(reader.can_open());
  ASSERT_TRUE(reader.open_array() && reader.next_element());
  EXPECT_FALSE(reader.can_open());
  EXPECT_FALSE(reader.open_object());
  EXPECT_STREQ(reader.problem(), "objects and arrays nest too deep");
  // Depth is what is open, not what has been.
  JsonReader flat("[[],[],{}]", 2);
  ASSERT_TRUE(flat.open_array());
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(flat.next_element() && flat.open_array() && !flat.next_element());
  EXPECT_TRUE(flat.next_element() && flat.open_object());
}

// `levels` of objects and arrays as a fixed pattern says, and the brackets that close them.
struct Nested {
  std::string open, close;
  explicit Nested(std::size_t levels, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < levels; ++i) {
      const bool object = random() % 2 == 0;
      open += object ? "{\"a\":" : "[1,";
      close.insert(close.begin(), object ? '}' : ']');
    }
  }
};

TEST(JsonReader, SkipsAnyDepth) {
  for (const std::size_t levels : {1, 63, 64, 65, 127, 128, 129, 10'000}) {
    const Nested nested(levels, levels);
    EXPECT_EQ(problem_of(nested.open + "0" + nested.close), nullptr) << levels;
    EXPECT_STREQ(problem_of(nested.open + "0" + nested.close + "]"),
                 "something follows the end of the request");
    EXPECT_NE(problem_of(nested.open + "0" + nested.close.substr(1)), nullptr) << levels;
    EXPECT_NE(problem_of(nested.open + nested.close), nullptr) << levels;
  }
  EXPECT_EQ(problem_of(std::string(640'064, '[') + std::string(640'064, ']')), nullptr);
}

TEST(JsonReader, SkippingKnowsEveryBracketThatIsOpen) {
  const Nested nested(200);
  for (std::size_t i = 0; i < nested.close.size(); ++i) {
    std::string close = nested.close;
    close[i] = close[i] == '}' ? ']' : '}';
    EXPECT_NE(problem_of(nested.open + "0" + close), nullptr) << i;
  }
}

TEST(JsonReader, SkippingStopsWhereTheMemoryForBracketsEnds) {
  const auto levels = [](std::size_t count) {
    return problem_of(std::string(count, '[') + std::string(count, ']'), 2);
  };
  EXPECT_EQ(levels(3 * 64), nullptr);
  EXPECT_STREQ(levels(3 * 64 + 1), "objects and arrays nest too deep for the memory there is");
}

TEST(JsonReader, FindsTheEndOfAStringWhereverItStands) {
  // The reader checks many bytes at a time.
  for (std::size_t length = 0; length < 40; ++length) {
    for (const char* special : {"\"", "\\\"", "\\u00e9", "\n"}) {
      const std::string text =
          '"' + std::string(length, 'x') + special + (special[0] == '"' ? "" : "y\"");
      JsonReader reader(text, 1);
      JsonString string;
      if (special[0] == '\n') {
        EXPECT_FALSE(reader.read_string(string));
        EXPECT_EQ(reader.offset(), length + 1);
        continue;
      }
      ASSERT_TRUE(reader.read_string(string)) << text;
      EXPECT_EQ(string.raw, std::string_view(text).substr(1, text.size() - 2));
      EXPECT_EQ(string.escaped, special[0] == '\\');
    }
  }
}

TEST(JsonReader, UnescapesEveryEscape) {
  EXPECT_EQ(unescaped(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(unescaped(R"("\u0041\u00e9\u20AC\ud83D\uDe00")"),
            "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(unescaped(R"("a\u0000b")"), std::string("a\0b", 3));
  EXPECT_EQ(unescaped(R"("\ud800\udc00\udbff\udfff\uffff")"),
            "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf");
}

TEST(JsonReader, HalfASurrogatePairIsTheReplacementCharacter) {
  EXPECT_EQ(unescaped(R"("\ud800")"), "\xef\xbf\xbd");
  EXPECT_EQ(unescaped(R"("a\udc00b")"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(unescaped(R"("\ud800\ud800\udc00\n")"), "\xef\xbf\xbd\xf0\x90\x80\x80\n");
  JsonReader reader(R"(["\udc00\ud800\ud800\udc00", "x"])", 2);
  JsonString text;
  ASSERT_TRUE(reader.open_array() && reader.next_element() && reader.read_string(text));
  EXPECT_EQ(text.lone_surrogates, 2u);
  ASSERT_TRUE(reader.next_element() && reader.read_string(text));
  EXPECT_EQ(text.lone_surrogates, 0u);
}

TEST(JsonReader, ReadsNothingMoreAfterAMistake) {
  JsonReader reader("[1,x,2]", 4);
  std::string_view number;
  ASSERT_TRUE(reader.open_array());
  ASSERT_TRUE(reader.next_element());
  ASSERT_TRUE(reader.read_number(number));
  ASSERT_TRUE(reader.next_element());
  EXPECT_FALSE(reader.read_number(number));
  EXPECT_EQ(reader.offset(), 3u);
  EXPECT_FALSE(reader.next_element());
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.offset(), 3u);
}

// simdjson is the reference: whatever it calls malformed, and nothing else, is a mistake. It also
// refuses numbers that no 64-bit type holds, which is none of the grammar's business.
TEST(JsonReader, AgreesWithSimdjsonOnMutations) {
  const std::string seed =
      R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{},"d":[]},"":"\\"})";
  constexpr std::string_view kBytes = "{}[]\",:\\ \n0123456789.eE+-truefalsnudDx\x01\x7f";
  std::mt19937_64 random(20240817);
  simdjson::dom::parser reference;
  int malformed = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text = seed;
    for (std::uint64_t edits = random() % 3 + 1; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = kBytes[random() % kBytes.size()];
          break;
        case 1:
          text.erase(at, random() % 4 + 1);
          break;
        default:
          text.insert(at, 1, kBytes[random() % kBytes.size()]);
      }
      if (text.empty()) text = " ";
    }
    const simdjson::error_code expected = reference.parse(text).error();
    if (expected == simdjson::NUMBER_ERROR && problem_of(text) == nullptr) continue;
    // simdjson refuses halves of surrogate pairs.
    if (expected == simdjson::STRING_ERROR && problem_of(text) == nullptr &&
        text.find("\\ud") != std::string::npos)
      continue;
    ASSERT_EQ(expected == simdjson::SUCCESS, problem_of(text) == nullptr)
        << text << ": simdjson says " << simdjson::error_message(expected);
    malformed += expected == simdjson::SUCCESS ? 0 : 1;
  }
  EXPECT_GT(malformed, 10'000);
  EXPECT_LT(malformed, 29'000);
}

}  // namespace
}  // namespace spanway::otlp
