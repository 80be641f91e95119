#include "services/lib/config/document.h"

#include <gtest/gtest.h>

#include <ctime>

namespace spanway::config {
namespace {

std::string first_problem(const std::string& yaml) {
  Problems problems;
  parse_document(yaml, problems);
  return problems.empty() ? "" : problems.all().front().message;
}

TEST(Document, KeepsPlacesOfKeysAndValues) {
  Problems problems;
  const auto root = parse_document("a:\n  b:   1\nc: [x,\n    'y']\n", problems);
  ASSERT_TRUE(problems.empty());
  ASSERT_NE(root, nullptr);
  const Node& b = *root->entries.at("a")->entries.at("b");
  EXPECT_EQ(b.key_place.line, 2);
  EXPECT_EQ(b.key_place.column, 3);
  EXPECT_EQ(b.place.line, 2);
  EXPECT_EQ(b.place.column, 8);
  EXPECT_FALSE(b.quoted);
  const Node& y = *root->entries.at("c")->items.at(1);
  EXPECT_EQ(y.place.line, 4);
  EXPECT_EQ(y.text, "y");
  EXPECT_TRUE(y.quoted);
}

TEST(Document, IsNullWhenEmpty) {
  Problems problems;
  EXPECT_EQ(parse_document("", problems), nullptr);
  EXPECT_EQ(parse_document("# only a comment\n", problems), nullptr);
  EXPECT_TRUE(problems.empty());
}

TEST(Document, ReadsByteOrderMarkAndCarriageReturns) {
  Problems problems;
  const auto root = parse_document(
      "\xef\xbb\xbf"
      "a: 1\r\nb: 2\r\n",
      problems);
  ASSERT_TRUE(problems.empty()) << problems.all().front().message;
  EXPECT_EQ(root->entries.at("a")->text, "1");
  EXPECT_EQ(root->entries.at("b")->text, "2");
}

TEST(Document, HasItsLimits) {
  EXPECT_EQ(first_problem(std::string(kFileBytesMax + 1, '#')), "the file is larger than 1 MiB");
  EXPECT_EQ(first_problem(std::string(kDepthMax, '[') + std::string(kDepthMax, ']')), "");
  EXPECT_EQ(first_problem(std::string(kDepthMax + 1, '[') + std::string(kDepthMax + 1, ']')),
            "nested more than 32 deep");
  std::string many = "[";
  for (std::size_t i = 0; i < kNodesMax; ++i) many += "1,";
  EXPECT_EQ(first_problem(many + "]"), "more than 100000 values in one file");
}

TEST(Document, AliasesDoNotMultiply) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string n = std::to_string(i), before = std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [*a" + before + ", *a" + before + "]\n";
  }
  Problems problems;
  parse_document(bomb, problems);
  EXPECT_GT(problems.all().size(), 40U);
  EXPECT_LE(problems.all().size(), 1000U);
}

TEST(Document, StopsCollectingProblems) {
  std::string yaml;
  for (int i = 0; i < 5000; ++i) yaml += "a: 1\n";
  Problems problems;
  parse_document(yaml, problems);
  EXPECT_EQ(problems.all().size(), 1000U);
}

// Whatever it is, it is refused or read, soon: in CPU time, for the machine may be busy.
TEST(Document, SurvivesHostileText) {
  const auto repeat = [](std::string_view part, std::size_t bytes) {
    std::string out;
    while (out.size() + part.size() <= bytes) out += part;
    return out;
  };
  const std::size_t bytes = kFileBytesMax;
  for (const char* part :
       {"[",   "{",   "{a: ", "- ",   "? ",   "a: ",   "- - - ", "[[],",         "\"",  "'",
        "&a ", "*a ", "!t ",  "|\n ", "a:\n", "---\n", "...\n",  "%YAML 1.1\n",  "\n",  " ",
        "#",   "\t",  "a",    "\\",   ",",    ":",     "a: {",   "\xe2\x80\xa8", "<<: "}) {
    SCOPED_TRACE(part);
    const std::clock_t start = std::clock();
    Problems problems;
    parse_document(repeat(part, bytes), problems);
    EXPECT_LT(std::clock() - start, 20 * CLOCKS_PER_SEC);
  }
}

}  // namespace
}  // namespace spanway::config
