#include <gtest/gtest.h>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(JsonSchema, DescribesEveryKey) {
  SampleConfig config;
  const std::string text = json_schema("sample", describe_of(config));
  EXPECT_TRUE(text.starts_with(
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"sample","type":"object",)"
      R"("additionalProperties":false,"properties":{"kafka":{"type":["object","null"],)"))
      << text;
  EXPECT_TRUE(has(text, R"({"type":"integer","minimum":0,"maximum":65535})"));
  EXPECT_TRUE(has(text, R"({"type":"integer","minimum":1,"maximum":64})"));
  EXPECT_TRUE(has(text, R"({"type":"number","minimum":0,"maximum":1})"));
  EXPECT_TRUE(has(text, R"({"enum":["none","gzip","zstd"]})"));
  EXPECT_TRUE(has(text, R"({"type":"boolean"})"));
  EXPECT_TRUE(has(text, R"("default":"30s")"));
  EXPECT_TRUE(has(text, R"("default":["localhost:9092"])"));
  EXPECT_TRUE(has(text, R"("description":"Unique name. Required.")"));
  EXPECT_TRUE(config.destinations.empty());
}

// The schema is valid JSON, and YAML is a superset of that: our own reader can check it.
TEST(JsonSchema, IsWellFormed) {
  SampleConfig config;
  config.listen.host = "quote \" backslash \\ newline \n";
  const LoadReport report = load(
      json_schema("a \"title\"", describe_of(config)), "schema", {}, [](Binder&) {}, nullptr);
  for (const Problem& problem : report.problems.all())
    EXPECT_TRUE(problem.message.starts_with("unknown key")) << problem.message;
}

}  // namespace
}  // namespace spanway::config
