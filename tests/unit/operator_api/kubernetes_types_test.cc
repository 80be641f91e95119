#include "operator/api/kubernetes_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> wrong(std::string_view type, const Json& value) {
  std::vector<std::string> out;
  check_kubernetes_type(type, value, "t", [&out](const std::string& path, const std::string& text) {
    out.push_back(path + ": " + text);
  });
  return out;
}

TEST(KubernetesTypes, AcceptsWhatKubernetesAccepts) {
  EXPECT_THAT(wrong("Toleration", {{"key", "a"},
                                   {"operator", "Exists"},
                                   {"effect", "NoExecute"},
                                   {"tolerationSeconds", 30}}),
              IsEmpty());
  EXPECT_THAT(wrong("ResourceRequirements",
                    {{"requests", {{"cpu", 1}, {"memory", "64Mi"}, {"example.com/gpu", "1"}}},
                     {"limits", {{"cpu", 0.5}, {"memory", "1e3"}}}}),
              IsEmpty());
  EXPECT_THAT(
      wrong("NetworkPolicyEgressRule",
            {{"to", Json::array({{{"ipBlock", {{"cidr", "10.0.0.0/8"}}}}})},
             {"ports", Json::array({{{"port", 53}, {"protocol", "UDP"}}, {{"port", "https"}}})}}),
      IsEmpty());
  EXPECT_THAT(wrong("Affinity", Json::object()), IsEmpty());
}

TEST(KubernetesTypes, RefusesWhatTheApiServerWouldOnlyRefuseAtTheApply) {
  EXPECT_THAT(wrong("Toleration", {{"efect", "NoExecute"}}),
              ElementsAre("t.efect: is no field (did you mean 'effect'?)"));
  EXPECT_THAT(wrong("Toleration", {{"effect", "NoExec"}}),
              ElementsAre(testing::StartsWith("t.effect: must be one of NoSchedule, ")));
  EXPECT_THAT(wrong("Toleration", {{"tolerationSeconds", "30"}}),
              ElementsAre("t.tolerationSeconds: must be a whole number"));
  EXPECT_THAT(
      wrong("TopologySpreadConstraint", {{"maxSkew", 1}}),
      UnorderedElementsAre("t.topologyKey: is required", "t.whenUnsatisfiable: is required"));
  EXPECT_THAT(wrong("ResourceRequirements", {{"limits", {{"memory", "64 MB"}}}}),
              ElementsAre("t.limits[memory]: must be a quantity such as 500m, 2 or 64Mi"));
  EXPECT_THAT(
      wrong("Affinity",
            {{"nodeAffinity",
              {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", "x"}}}}}}),
      ElementsAre("t.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
                  "nodeSelectorTerms: must be a list"));
  EXPECT_THAT(wrong("NetworkPolicyIngressRule",
                    {{"ports", Json::array({{{"port", true}}})}, {"form", Json::array()}}),
              UnorderedElementsAre("t.ports[0].port: must be a whole number or a name",
                                   "t.form: is no field (did you mean 'from'?)"));
}

TEST(KubernetesTypes, RefusesNumbersThatTheApiServerWouldOnlyRefuseAtTheApply) {
  EXPECT_THAT(wrong("NetworkPolicyEgressRule", {{"ports", Json::array({{{"port", 99999}}})}}),
              ElementsAre("t.ports[0].port: must be from 1 to 65535"));
  EXPECT_THAT(wrong("NetworkPolicyIngressRule",
                    {{"ports", Json::array({{{"port", 1}, {"endPort", 65536}}})}}),
              ElementsAre("t.ports[0].endPort: must be from 1 to 65535"));
  EXPECT_THAT(
      wrong("TopologySpreadConstraint", {{"maxSkew", 0},
                                         {"minDomains", -1},
                                         {"topologyKey", "zone"},
                                         {"whenUnsatisfiable", "DoNotSchedule"}}),
      UnorderedElementsAre("t.maxSkew: must be at least 1", "t.minDomains: must be at least 1"));
  const Json weighted = {{"weight", 101}, {"preference", Json::object()}};
  EXPECT_THAT(
      wrong("Affinity",
            {{"nodeAffinity", {{"preferredDuringSchedulingIgnoredDuringExecution", {weighted}}}}}),
      ElementsAre("t.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: must "
                  "be from 1 to 100"));
  const Json schema = kubernetes_schema("NetworkPolicyPort", SchemaDialect::kKubernetes);
  EXPECT_EQ(kube::int_at(schema, "properties/port/maximum"), 65535);
  EXPECT_EQ(kube::int_at(schema, "properties/endPort/minimum"), 1);
}

TEST(KubernetesTypes, EqualQuantitiesInOtherUnitsAreNoRequestAboveTheLimit) {
  for (const char* same :
       {"{requests: {cpu: 100m}, limits: {cpu: \"0.1\"}}",
        "{requests: {cpu: 1}, limits: {cpu: 1000m}}",
        "{requests: {memory: 1Gi}, limits: {memory: 1024Mi}}", "{requests: {cpu: 3}}",
        "{requests: {memory: 1e3}, limits: {memory: 1k, cpu: 0}}", "{limits: {cpu: \"+1\"}}"})
    EXPECT_THAT(problems_of(pipeline_yaml(std::string("  ingress: {template: {resources: ") + same +
                                          "}}\n")),
                IsEmpty())
        << same;
}

TEST(KubernetesTypes, ATypoInATemplateIsAProblemOfThePipeline) {
  const std::string yaml = R"(
apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  exporters: [{name: x, destination: {type: Debug}}]
  networkPolicy: {extraEgress: [{too: []}]}
  ingress: {template: {affinity: {nodeAfinity: {}}, tolerations: [{key: a, oprator: Exists}]}}
)";
  EXPECT_THAT(
      problems_of(yaml),
      UnorderedElementsAre(
          testing::StartsWith("spec.networkPolicy.extraEgress[0].too: is no field"),
          testing::StartsWith("spec.ingress.template.affinity.nodeAfinity: is no field"),
          testing::StartsWith("spec.ingress.template.tolerations[0].oprator: is no field")));
}

TEST(KubernetesTypes, TheSchemaForTheApiServerHasNoReferences) {
  const Json schema = kubernetes_schema("Affinity", SchemaDialect::kKubernetes);
  EXPECT_THAT(kube::to_text(schema), testing::Not(testing::HasSubstr("$ref")));
  const Json* terms = kube::find(schema,
                                 "properties/nodeAffinity/properties/"
                                 "requiredDuringSchedulingIgnoredDuringExecution/properties/"
                                 "nodeSelectorTerms/items/properties/matchExpressions/items/"
                                 "properties/operator/enum");
  ASSERT_NE(terms, nullptr);
  EXPECT_TRUE(terms->is_array());
}

}  // namespace
}  // namespace spanway::api
