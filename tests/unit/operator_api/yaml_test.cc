#include "operator/api/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using kube::Json;

std::string error_of(const std::string& yaml) {
  const auto parsed = parse_yaml(yaml, "f.yaml");
  return parsed.ok() ? "" : parsed.error().message;
}

TEST(ParseYaml, ScalarsAreReadAsKubectlReadsThem) {
  const auto all = documents(R"(
a: 1
b: -2
c: 1.5
d: true
e: on
f: "1"
g: 'true'
h: ~
i:
j: 1.2.3
k: 2024-01-02
l: text with spaces
m: |
  12
n: 1e3
)");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.front(), Json({{"a", 1},
                               {"b", -2},
                               {"c", 1.5},
                               {"d", true},
                               {"e", true},
                               {"f", "1"},
                               {"g", "true"},
                               {"h", nullptr},
                               {"i", nullptr},
                               {"j", "1.2.3"},
                               {"k", "2024-01-02"},
                               {"l", "text with spaces"},
                               {"m", "12\n"},
                               {"n", 1000.0}}));
}

TEST(ParseYaml, NumbersThatReadersDisagreeAboutAreRefused) {
  for (const char* text : {"0x10", "012", "1_000", "+5"})
    EXPECT_THAT(error_of(std::string("a: ") + text), testing::HasSubstr("may be read as a number"))
        << text;
}

TEST(ParseYaml, SeveralDocumentsAreReadAndEmptyOnesLeftOut) {
  const auto all = documents("---\n# nothing\n---\na: 1\n--- \nb: 2\n...\n---\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], Json({{"a", 1}}));
  EXPECT_EQ(all[1], Json({{"b", 2}}));
}

TEST(ParseYaml, ADocumentMayBeginBehindItsMarker) {
  const auto all = documents("--- {a: 1}\n--- {b: 2}");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1], Json({{"b", 2}}));
}

TEST(ParseYaml, DashesInsideTextsEndNothing) {
  const auto all = documents("a: |\n  ---\n  x\nb: ----\n");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(kube::string_at(all[0], "a"), "---\nx\n");
  EXPECT_EQ(kube::string_at(all[0], "b"), "----");
}

TEST(ParseYaml, MistakesNameTheLineOfTheFile) {
  EXPECT_THAT(error_of("a: 1\n---\nb: 1\nb: 2\n"),
              testing::StartsWith("f.yaml:4:1: duplicate key"));
}

TEST(ParseYaml, AnchorsAndTagsAreRefused) {
  EXPECT_THAT(error_of("a: &x 1\nb: *x\n"), testing::HasSubstr("anchors"));
  EXPECT_THAT(error_of("a: !!binary aaaa\n"), testing::HasSubstr("tags"));
}

TEST(ParseYaml, SizesAreBounded) {
  EXPECT_THAT(error_of(std::string(2u << 20, 'a')), testing::HasSubstr("larger than 1 MiB"));
  std::string many;
  for (int i = 0; i < 200; ++i) many += "---\na: 1\n";
  EXPECT_THAT(error_of(many), testing::HasSubstr("more than 100 documents"));
  EXPECT_THAT(error_of("a: " + std::string(100, '[') + std::string(100, ']')),
              testing::HasSubstr("deep"));
}

TEST(ToYaml, WritesBlocks) {
  const Json value = {{"b", Json::array({1, Json{{"c", "x"}, {"d", Json::array({"z"})}}})},
                      {"a", {{"e", Json::object()}, {"f", Json::array()}}}};
  EXPECT_EQ(to_yaml(value), "a:\n  e: {}\n  f: []\nb:\n- 1\n- c: x\n  d:\n  - z\n");
}

TEST(ToYaml, WrittenYamlIsReadBackUnchanged) {
  for (const char* text :
       {"",  "true", "no", "1",  "1.5", "0x1", "~",  "null", "a: b", "# x", "- a", "a\nb\t\"c\"",
        "'", "ü",    "y",  " a", "a ",  "*",   "&a", "%",    "@",    "`",   "-"})
    EXPECT_EQ(documents(to_yaml({{text, text}})).at(0), Json({{text, text}})) << text;
  const Json lists =
      Json::array({Json::array({Json::array({1, 2}), 3}), Json::object({{"a", nullptr}})});
  EXPECT_EQ(documents(to_yaml(lists)).at(0), lists);
}

}  // namespace
}  // namespace spanway::api
