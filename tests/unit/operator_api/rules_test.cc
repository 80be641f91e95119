// Each rule has a sample that it refuses, in bad/ (one Pipeline; the first line is the problem) and
// bad_changes/ (before and after). The same files are shown to a real API server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kBad[] = "tests/unit/operator_api/bad";
constexpr char kBadChanges[] = "tests/unit/operator_api/bad_changes";

TEST(Rules, EachBadSampleIsRefusedForItsReasonAlone) {
  for (const std::string& path : yaml_files(kBad)) {
    const std::string yaml = file_text(path);
    EXPECT_THAT(problems_of(yaml), ElementsAre(expectation(yaml))) << path;
  }
}

TEST(Rules, EachBadChangeIsRefusedForItsReasonAlone) {
  for (const std::string& path : yaml_files(kBadChanges)) {
    const std::string yaml = file_text(path);
    const auto versions = documents(yaml, path);
    ASSERT_EQ(versions.size(), 2u) << path;
    config::Problems problems;
    const Pipeline before = read(versions[0], problems);
    const Pipeline after = read(versions[1], problems);
    EXPECT_THAT(texts(problems), IsEmpty()) << path;
    check_transition(before, after, problems);
    EXPECT_THAT(texts(problems), ElementsAre(expectation(yaml))) << path;
  }
}

// "rule" -> message of all rules in a schema.
void collect_rules(const kube::Json& schema, std::set<std::pair<std::string, std::string>>& rules) {
  if (schema.is_object()) {
    if (const auto found = schema.find("x-kubernetes-validations"); found != schema.end())
      for (const kube::Json& rule : *found)
        rules.emplace(kube::string_at(rule, "rule"), kube::string_at(rule, "message"));
  }
  if (schema.is_structured())
    for (const kube::Json& inner : schema) collect_rules(inner, rules);
}

TEST(Rules, NoRuleIsWithoutItsBadSample) {
  std::set<std::pair<std::string, std::string>> rules;
  collect_rules(crd(), rules);
  ASSERT_GE(rules.size(), 30u);
  std::vector<std::string> expectations;
  for (const char* folder : {kBad, kBadChanges})
    for (const std::string& path : yaml_files(folder))
      expectations.push_back(expectation(file_text(path)));
  for (const auto& [cel, message] : rules) {
    // The message of a rule about metadata contains the path.
    const std::size_t skipped = message.starts_with("metadata.name ") ? 14 : 0;
    const std::string expected = message.substr(skipped);
    const bool shown = std::any_of(
        expectations.begin(), expectations.end(),
        [&expected](const std::string& line) { return line.ends_with(": " + expected); });
    EXPECT_TRUE(shown) << "no bad sample for: " << message << "\n  " << cel;
  }
}

}  // namespace
}  // namespace spanway::api
