#include "operator/json/json.h"

#include <gtest/gtest.h>

#include "operator/json/json_pointer.h"

namespace spanway::kube {
namespace {

Json parsed(std::string_view text) { return parse_json(text).value(); }

bool holds(std::string_view live, std::string_view intent, std::string* difference = nullptr) {
  return contains(parsed(live), parsed(intent), difference);
}

TEST(ParseJson, NamesThePositionOfTheFirstError) {
  const Result<Json> broken = parse_json(R"({"a": 1,})");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, Code::kInvalidArgument);
  EXPECT_EQ(broken.error().message, "not JSON at byte 9");
}

TEST(ParseJson, IsBounded) {
  EXPECT_FALSE(parse_json("[1,2,3]", 6).ok());
  EXPECT_TRUE(parse_json("[1,2,3]", 7).ok());
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(parse_json(deep).ok());
  const std::string allowed = std::string(60, '[') + std::string(60, ']');
  EXPECT_TRUE(parse_json(allowed).ok());
}

TEST(ParseJson, TakesNoOtherText) {
  for (const char* text : {"", " ", "{", "nul", "{\"a\":01}", "[1] [2]", "\xff"}) {
    EXPECT_FALSE(parse_json(text).ok()) << text;
  }
}

TEST(ToText, SortsKeysAndMendsText) {
  EXPECT_EQ(to_text(parsed(R"({"b":1,"a":[true,null]})")), R"({"a":[true,null],"b":1})");
  EXPECT_EQ(to_text(Json(std::string("a\xff"))), "\"a\xef\xbf\xbd\"");
}

TEST(Find, WalksObjectsListsAndEscapes) {
  const Json value = parsed(R"({"a":{"b":[{"c":7}]},"x/y":{"~":"z"},"flag":true})");
  EXPECT_EQ(int_at(value, "a/b/0/c"), 7);
  EXPECT_EQ(string_at(value, "x~1y/~0"), "z");
  EXPECT_TRUE(bool_at(value, "flag"));
  EXPECT_EQ(find(value, ""), &value);
  for (const char* path : {"a/b/1", "a/b/-1", "a/b/x", "a/c", "a/b/0/c/d", "nothing"}) {
    EXPECT_EQ(find(value, path), nullptr) << path;
  }
  EXPECT_EQ(int_at(value, "flag", 5), 5);
  EXPECT_EQ(string_at(value, "a", "other"), "other");
}

TEST(Contains, LetsLiveHaveMore) {
  EXPECT_TRUE(holds(R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"c":2}})"));
  std::string difference;
  EXPECT_FALSE(holds(R"({"b":{"c":2}})", R"({"b":{"c":3}})", &difference));
  EXPECT_EQ(difference, "b/c");
  EXPECT_FALSE(holds(R"({"b":{}})", R"({"b":{"c":3}})", &difference));
  EXPECT_EQ(difference, "b/c");
}

TEST(Contains, MatchesListsByTheirKeys) {
  const char* live = R"({"containers":[{"name":"side","image":"s"},{"name":"main","image":"m"}]})";
  EXPECT_TRUE(holds(live, R"({"containers":[{"name":"main","image":"m"}]})"));
  std::string difference;
  EXPECT_FALSE(holds(live, R"({"containers":[{"name":"main","image":"n"}]})", &difference));
  EXPECT_EQ(difference, "containers/0/image");
  EXPECT_TRUE(holds(R"([{"port":1,"protocol":"TCP"},{"port":1,"protocol":"UDP","x":2}])",
                    R"([{"port":1,"protocol":"UDP","x":2}])"));
  EXPECT_TRUE(holds(R"([{"port":1,"protocol":"TCP"}])", R"([{"port":1}])"));
}

TEST(Contains, ComparesOtherListsByEquality) {
  EXPECT_TRUE(holds(R"(["a","b"])", R"(["a","b"])"));
  EXPECT_FALSE(holds(R"(["a","b"])", R"(["a"])"));
  EXPECT_FALSE(holds(R"(["a","b"])", R"(["b","a"])"));
  EXPECT_FALSE(holds(R"({"args":["a"]})", R"({"args":[]})"));
}

TEST(Contains, ComparesQuantitiesByValue) {
  EXPECT_TRUE(holds(R"({"cpu":"500m"})", R"({"cpu":"0.5"})"));
  EXPECT_TRUE(holds(R"({"memory":"1Gi"})", R"({"memory":"1024Mi"})"));
  EXPECT_TRUE(holds(R"({"cpu":1})", R"({"cpu":"1"})"));
  EXPECT_FALSE(holds(R"({"cpu":"501m"})", R"({"cpu":"0.5"})"));
  EXPECT_FALSE(holds(R"({"image":"a:1"})", R"({"image":"a:2"})"));
  EXPECT_FALSE(holds(R"({"v":"5x"})", R"({"v":"5y"})"));
}

TEST(Contains, TreatsEmptyAsAbsent) {
  EXPECT_TRUE(holds(R"({})", R"({"labels":{},"items":[],"nothing":null})"));
  EXPECT_FALSE(holds(R"({})", R"({"flag":false})"));
}

TEST(Fingerprint, DependsOnTheValueOnly) {
  EXPECT_EQ(fingerprint(parsed(R"({"a":1,"b":2})")), fingerprint(parsed(R"({"b":2, "a":1})")));
  EXPECT_NE(fingerprint(parsed(R"({"a":1})")), fingerprint(parsed(R"({"a":2})")));
  EXPECT_EQ(fingerprint(parsed("{}")), "44136fa355b3678a");
  EXPECT_EQ(fingerprint_number(parsed("{}")), 0x44136fa355b3678aU);
}

TEST(JsonPointer, AKeyIsOneStep) {
  for (const char* key : {"", "plain", "a/b~c", "~1", "~0", "~", "~2/"}) {
    const std::string step = escape_step(key);
    EXPECT_EQ(step.find('/'), std::string::npos) << key;
    EXPECT_EQ(unescape_step(step), key);
  }
  EXPECT_EQ(escape_step("a/b~c"), "a~1b~0c");
  EXPECT_EQ(unescape_step("~2~"), "~2~");
}

}  // namespace
}  // namespace spanway::kube
