#include "operator/render/monitoring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::ElementsAre;

TEST(Monitoring, IsRenderedWhereTheClusterServesTheKindAndThePipelineEnablesIt) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.observability.monitor_labels = {{"release", "prometheus"},
                                                {api::kPipelineLabel, "theirs"}};
  ClusterFacts facts = sample_facts();
  const auto count = [&](const kube::ResourceType& type) {
    return of_kind(render(pipeline, facts), type).size();
  };
  EXPECT_EQ(count(kube::kServiceMonitors), 1u);
  EXPECT_EQ(count(kube::kPrometheusRules), 1u);
  const Json monitor = of_kind(render(pipeline, facts), kube::kServiceMonitors).at("quickstart");
  EXPECT_EQ(at(monitor, "metadata/labels/release"), "prometheus");
  EXPECT_EQ(at(monitor, "metadata/labels/spanway.dev~1pipeline"), "quickstart");

  facts.serves.prometheus_rules = false;
  EXPECT_EQ(count(kube::kPrometheusRules), 0u);
  facts.serves.service_monitors = false;
  EXPECT_EQ(count(kube::kServiceMonitors), 0u);
  EXPECT_EQ(of_kind(rendered(sample("bare")), kube::kServiceMonitors).size(), 0u);
}

TEST(Monitoring, ScrapesOneServiceOfEachComponent) {
  const Rendering rendering = rendered(quickstart());
  const Json monitor = of_kind(rendering, kube::kServiceMonitors).at("quickstart");
  const Json& selector = at(monitor, "spec/selector/matchLabels");
  std::vector<std::string> scraped;
  for (const auto& [name, service] : of_kind(rendering, kube::kServices)) {
    if (!selects(selector, at(service, "metadata/labels"))) continue;
    EXPECT_TRUE(by_name(at(service, "spec/ports")).contains("admin")) << name;
    scraped.push_back(name);
  }
  EXPECT_THAT(scraped, ElementsAre("quickstart-bridge", "quickstart-ingress-admin",
                                   "quickstart-tempo", "quickstart-tempo-consumer"));
}

}  // namespace
}  // namespace spanway::render
