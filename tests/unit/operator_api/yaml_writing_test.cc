#include <gtest/gtest.h>

#include <limits>

#include "operator/api/declaration.h"
#include "operator/api/yaml.h"
#include "services/lib/config/document.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

using kube::Json;

// kubectl and the services' own parser read the same texts.
Json round_trip(const Json& value) {
  const std::string text = to_yaml({{"value", value}});
  config::Problems problems;
  config::parse_document(text, problems);
  EXPECT_EQ(config::format(problems, "written"), "") << text;
  const auto documents = parse_yaml(text, "written");
  EXPECT_TRUE(documents.ok()) << text;
  return documents.ok() && documents->size() == 1 ? documents->front()["value"] : Json();
}

TEST(YamlWriter, TextsStayTexts) {
  for (const char* text : {"",
                           " ",
                           "yes",
                           "no",
                           "on",
                           "off",
                           "y",
                           "true",
                           "null",
                           "~",
                           "1",
                           "-1",
                           "1e3",
                           "0x1",
                           "0o7",
                           "1_000",
                           ".5",
                           ".inf",
                           ".nan",
                           "12:30",
                           "2024-01-02",
                           "a: b",
                           "a:",
                           ": a",
                           "# x",
                           "a # b",
                           "- a",
                           "-",
                           "? a",
                           "[a]",
                           "{a: b}",
                           "]",
                           "&a",
                           "*a",
                           "!a",
                           "!!str a",
                           "| a",
                           "> a",
                           "%a",
                           "@a",
                           "`a",
                           "'a'",
                           "\"a\"",
                           "\\",
                           "\\n",
                           "a\nb",
                           "\n",
                           "a\n",
                           "\r\n",
                           "\ta",
                           " a ",
                           "---",
                           "...",
                           "${env:X}",
                           "$$",
                           "\x01\x1f\x7f",
                           "ü",
                           "日本",
                           "\xf0\x9f\x98\x80",
                           "\xc2\x85",
                           "\xe2\x80\xa8",
                           "<<",
                           "="}) {
    EXPECT_EQ(round_trip({{"key", text}}), Json({{"key", text}})) << text;
    EXPECT_EQ(round_trip(Json::array({text, Json::array({text})})),
              Json::array({text, Json::array({text})}))
        << text;
  }
}

TEST(YamlWriter, KeysStayTexts) {
  for (const char* text :
       {"",      "y",  "N", "On",   "NULL", "nan", "Inf",   ".inf", "1.5",  "0x1", "_1",
        "x.y/z", "a-", "a", "A",    "a b",  "yes", "no",    "null", "true", "1",   "a: b",
        "#",     "-",  "?", "a\nb", "ü",    "x-y", "a.b/c", "<<",   "$",    "'",   "\""})
    EXPECT_EQ(round_trip({{text, 1}}), Json({{text, 1}})) << text;
}

TEST(YamlWriter, NumbersStayNumbers) {
  for (const Json& number : {Json(0), Json(-1), Json(std::numeric_limits<std::int64_t>::max()),
                             Json(std::numeric_limits<std::int64_t>::min()), Json(0.5), Json(1e100),
                             Json(true), Json(false), Json(nullptr)})
    EXPECT_EQ(round_trip({{"key", number}}), Json({{"key", number}})) << number;
}

TEST(YamlWriter, EveryNestingIsReadBack) {
  const Json empty = {{"a", Json::object()}, {"b", Json::array()}};
  EXPECT_EQ(round_trip(empty), empty);
  const Json lists = Json::array({Json::array({Json::array(), Json::array({1, Json::object()})}),
                                  Json{{"a", Json::array({Json{{"b", 1}, {"c", 2}}})}}, 3});
  EXPECT_EQ(round_trip(lists), lists);
  Json deep = "bottom";
  for (int i = 0; i < 15; ++i) deep = Json{{"k", Json::array({std::move(deep)})}};
  EXPECT_EQ(round_trip(deep), deep);
}

TEST(YamlWriter, IsReadableAndEndsInANewline) {
  EXPECT_EQ(to_yaml({{"b", Json::array({"x", Json{{"c", 1}}})}, {"a", {{"e", "y"}}}}),
            "a:\n  e: \"y\"\nb:\n- x\n- c: 1\n");
  EXPECT_EQ(to_yaml(Json::object()), "{}\n");
  EXPECT_EQ(to_yaml("x"), "x\n");
}

}  // namespace
}  // namespace spanway::api
