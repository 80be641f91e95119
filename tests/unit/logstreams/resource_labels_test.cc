#include "services/lib/logstreams/resource_labels.h"

#include <gtest/gtest.h>

namespace spanway::logstreams {
namespace {

using otlp::AttributeView;
using otlp::ValueKind;

AttributeView text(std::string_view key, std::string_view value) {
  return {.key = key, .value = {.kind = ValueKind::kString, .text = value}};
}

ResourceLabels labels_of(const std::vector<AttributeView>& attributes,
                         const std::vector<std::string>& keys) {
  return resource_labels({.attributes = attributes, .schema_url = {}}, keys);
}

TEST(ResourceLabels, TakesTheListedAttributes) {
  const auto result =
      labels_of({text("service.name", "shop"), text("host.name", "h1")}, {"service.name"});
  EXPECT_EQ(label_text(result.labels), R"({service_name="shop"})");
  ASSERT_EQ(result.metadata.size(), 1u);
  EXPECT_EQ(result.metadata[0], NameAndValue("host_name", "h1"));
}

TEST(ResourceLabels, ALongValueIsNeverALabel) {
  const std::string fits(256, 'x'), too_long(257, 'y');
  const auto result = labels_of({text("a", fits), text("b", too_long)}, {"a", "b"});
  EXPECT_EQ(result.labels.count("a"), 1u);
  EXPECT_EQ(result.labels.count("b"), 0u);
  EXPECT_EQ(result.metadata, (std::vector<NameAndValue>{{"b", too_long}}));
}

TEST(ResourceLabels, HoldsAtMost15BesideTheServiceName) {
  std::vector<std::string> keys = {"service.name"};
  for (int i = 0; i < 20; ++i) keys.push_back("k" + std::to_string(i));
  std::vector<AttributeView> attributes;
  for (const std::string& key : keys) attributes.push_back(text(key, "v"));
  const auto result = labels_of(attributes, keys);
  EXPECT_EQ(result.labels.size(), kLabelsMax + 1);
  EXPECT_EQ(result.metadata.size(), 5u);
}

TEST(ResourceLabels, FindsAServiceNameAsLokiDoes) {
  EXPECT_EQ(label_text(labels_of({}, {"service.name"}).labels),
            R"({service_name="unknown_service"})");
  EXPECT_EQ(label_text(labels_of({text("k8s.job.name", "nightly")}, {"k8s.job.name"}).labels),
            R"({k8s_job_name="nightly", service_name="nightly"})");
  EXPECT_EQ(label_text(labels_of({text("service.name", "")}, {"service.name"}).labels),
            R"({service_name="unknown_service"})");
}

TEST(ResourceLabels, EscapesValuesAsGoDoes) {
  EXPECT_EQ(label_text({{"a", "x\"\\\n\x7f\xc3\xbc"}}), "{a=\"x\\\"\\\\\\x0a\\x7f\xc3\xbc\"}");
}

}  // namespace
}  // namespace spanway::logstreams
