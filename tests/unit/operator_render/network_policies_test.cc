#include "operator/render/network_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/render/component_spec.h"
#include "operator/render/private_networks.h"
#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::Contains;
using testing::IsEmpty;

TEST(NetworkPolicies, CoverEveryPod) {
  const Rendering rendering = rendered(quickstart());
  for (const Manifest& manifest : all_manifests(rendering)) {
    const Json* pods = pod_template_of(manifest.object);
    if (pods == nullptr) continue;
    int covering = 0;
    for (const auto& [name, policy] : of_kind(rendering, kube::kNetworkPolicies)) {
      EXPECT_EQ(at(policy, "spec/policyTypes"), Json::array({"Ingress", "Egress"}));
      if (selects(at(policy, "spec/podSelector/matchLabels"), at(*pods, "metadata/labels")))
        ++covering;
    }
    EXPECT_EQ(covering, 1) << manifest.key().name;
  }
}

Json rules_at(const Json& policy, int port) {
  Json rules = Json::array();
  for (const Json& rule : at(policy, "spec/ingress")) {
    for (const Json& entry : at(rule, "ports")) {
      if (entry["port"] == port) rules.push_back(rule);
    }
  }
  return rules;
}

TEST(NetworkPolicies, AdmitOnlyTheComponentInFront) {
  const auto policies = of_kind(rendered(quickstart()), kube::kNetworkPolicies);
  const auto only_from = [&](const std::string& name, int port, const char* component) {
    const Json rules = rules_at(policies.at(name), port);
    ASSERT_EQ(rules.size(), 1u) << name;
    ASSERT_EQ(rules[0]["from"].size(), 1u);
    EXPECT_FALSE(rules[0]["from"][0].contains("namespaceSelector"));
    EXPECT_EQ(at(rules[0], "from/0/podSelector/matchLabels/spanway.dev~1component"), component);
    EXPECT_EQ(at(rules[0], "from/0/podSelector/matchLabels/spanway.dev~1pipeline"), "quickstart");
  };
  only_from("quickstart-bridge", kBridgePort, "ingress");
  only_from("quickstart-tempo", kExporterPort, "consumer");
  // Applications may be anywhere.
  const Json open = rules_at(policies.at("quickstart-ingress"), kIngressGrpcPort);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_FALSE(open[0].contains("from"));
  EXPECT_THAT(at(policies.at("quickstart-topics"), "spec/ingress"), IsEmpty());
}

TEST(NetworkPolicies, ShowTheAdminPortToTheOperatorAndPrometheusOnly) {
  ClusterFacts facts = sample_facts();
  facts.operator_namespace = "ops";
  api::Pipeline pipeline = quickstart();
  for (const bool monitored : {true, false}) {
    pipeline.spec.observability.service_monitor = monitored;
    for (const auto& [name, policy] : of_kind(render(pipeline, facts), kube::kNetworkPolicies)) {
      if (name == "quickstart-topics") continue;
      const Json rules = rules_at(policy, kAdminPort);
      ASSERT_EQ(rules.size(), 1u);
      ASSERT_EQ(rules[0]["from"].size(), monitored ? 2u : 1u) << name;
      EXPECT_EQ(at(rules[0], "from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name"),
                "ops");
    }
  }
}

TEST(NetworkPolicies, KeepEveryPodFromTheMetadataAddress) {
  for (const auto& [name, policy] : of_kind(rendered(quickstart()), kube::kNetworkPolicies)) {
    for (const Json& rule : at(policy, "spec/egress")) {
      for (const Json& peer : at(rule, "to")) {
        if (kube::string_at(peer, "ipBlock/cidr") == "0.0.0.0/0") {
          EXPECT_THAT(at(peer, "ipBlock/except"), Contains("169.254.0.0/16")) << name;
        }
      }
    }
  }
}

TEST(NetworkPolicies, LimitExportersToPublicAddressesWhenConfigured) {
  ClusterFacts facts = sample_facts();
  facts.deny_private_endpoints = true;
  const auto policies = of_kind(render(quickstart(), facts), kube::kNetworkPolicies);
  const Json& egress = at(policies.at("quickstart-tempo"), "spec/egress");
  ASSERT_EQ(egress.size(), 2u);  // Names, and the destination.
  const Json& peers = egress[1]["to"];
  ASSERT_EQ(peers.size(), 2u);
  EXPECT_EQ(at(peers[0], "ipBlock/except"), private_networks(Family::kV4));
  EXPECT_EQ(at(peers[1], "ipBlock/except"), private_networks(Family::kV6));
  // Kafka is inside.
  EXPECT_EQ(at(policies.at("quickstart-bridge"), "spec/egress/1/to/0"),
            Json({{"namespaceSelector", Json::object()}}));
}

TEST(NetworkPolicies, HoldTheFurtherRulesOfThePipeline) {
  api::Pipeline pipeline = sample("public");
  pipeline.spec.network_policy.extra_ingress = Json::array({Json{{"from", Json::array()}}});
  for (const auto& [name, policy] : of_kind(rendered(pipeline), kube::kNetworkPolicies)) {
    EXPECT_EQ(at(policy, "spec/egress").back()["to"][0]["ipBlock"]["cidr"], "10.0.0.0/8") << name;
    EXPECT_EQ(at(policy, "spec/ingress").back(), Json({{"from", Json::array()}})) << name;
  }
}

TEST(NetworkPolicies, AreNoneWhenTurnedOff) {
  EXPECT_THAT(of_kind(rendered(sample("bare")), kube::kNetworkPolicies), IsEmpty());
}

}  // namespace
}  // namespace spanway::render
