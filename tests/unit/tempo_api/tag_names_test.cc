// Tags and their values, for completion.
#include "services/query/api/tempo/tag_names.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace spanway::query::tempo {
namespace {

const std::vector<AttributeKey> kKeys = {{Scope::kResource, "service.name", AttributeType::kText},
                                         {Scope::kSpan, "b", AttributeType::kText},
                                         {Scope::kSpan, "b", AttributeType::kInteger},
                                         {Scope::kSpan, "a", AttributeType::kText}};

TEST(TagNames, AreListedOnceAndByScope) {
  EXPECT_EQ(keys_v1_json(kKeys, {}), R"({"tagNames":["a","b","service.name"],"metrics":{}})");
  TagParameters span;
  span.scope = "span";
  EXPECT_EQ(
      keys_v2_json(kKeys, span),
      R"({"scopes":[{"name":"resource","tags":["service.name"]},{"name":"span","tags":["a","b"]}],"metrics":{}})");
  EXPECT_NE(keys_v2_json({}, {}).find(R"({"name":"intrinsic","tags":["duration",)"),
            std::string::npos);
}

TEST(TagValues, OfIntrinsicsAreKnown) {
  EXPECT_EQ(values_json(*known_values("status", true), true),
            R"({"tagValues":[{"type":"keyword","value":"unset"},{"type":"keyword","value":"ok"},)"
            R"({"type":"keyword","value":"error"}],"metrics":{}})");
  EXPECT_EQ(known_values("span:kind", true)->size(), 6u);
  EXPECT_TRUE(known_values("duration", true)->empty());
  EXPECT_EQ(known_values("name", true), std::nullopt);
  EXPECT_EQ(values_json(*known_values("status.code", false), false),
            R"({"tagValues":["unset","ok","error"],"metrics":{}})");
}

TEST(TagValues, NameAttributesOfTraceQl) {
  const auto texts = [](const std::string& tag, bool is_v2) {
    std::string all;
    const auto attributes = attributes_of_tag(tag, is_v2);
    if (!attributes.ok()) return attributes.error().message;
    for (const auto& one : *attributes) all += (all.empty() ? "" : " ") + to_string(one);
    return all;
  };
  EXPECT_EQ(texts("resource.service.name", true), "resource.service.name");
  EXPECT_EQ(texts(".a", true), "resource.a span.a");
  EXPECT_EQ(texts("span.\"a b\"", true), "span.\"a b\"");
  EXPECT_EQ(texts("event:name", true), "event:name");
  EXPECT_EQ(texts("a", false), "resource.a span.a");
  EXPECT_EQ(texts("root.name", false), "rootName");
  EXPECT_EQ(texts("a", true), "tag name is not valid intrinsic or scoped attribute: a");
  EXPECT_EQ(texts("true } && { .a", true),
            "tag name is not valid intrinsic or scoped attribute: true } && { .a");
}

TEST(TagValues, AreFilteredByWhatCanBeReadOfAQuery) {
  for (const auto& [text, kept] : std::vector<std::pair<const char*, const char*>>{
           {"{ .a = 1 }", "{ .a = 1 }"},
           {"{ .a = 1 && .b = }", "{ .a = 1 }"},
           {"{ .a = \"x && y\" && name= && .c = 2", "{ (.a = `x && y`) && (.c = 2) }"},
           {"{ .a = }", ""},
           {"{ .a = 1 || .b = }", ""},
           {"{ .a = 1 } | count() > 1", ""},
           {"", ""}}) {
    const auto filter = filter_of(text);
    EXPECT_EQ(filter ? to_string(*filter) : "", kept) << text;
  }
}

}  // namespace
}  // namespace spanway::query::tempo
