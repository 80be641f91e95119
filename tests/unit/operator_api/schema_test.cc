#include "operator/api/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

const kube::Json& at(const kube::Json& value, const std::string& path) {
  static const kube::Json kNothing;
  const kube::Json* found = kube::find(value, path);
  EXPECT_NE(found, nullptr) << path;
  return found == nullptr ? kNothing : *found;
}

kube::Json root() { return at(crd(), "spec/versions/0/schema/openAPIV3Schema"); }

// The API server estimates from the bounds what a rule may cost, and refuses what has none.
void expect_bounds(const kube::Json& schema, const std::string& path) {
  const std::string type = kube::string_at(schema, "type");
  const bool raw = kube::bool_at(schema, "x-kubernetes-preserve-unknown-fields");
  if (type == "string" && !schema.contains("enum") && !schema.contains("format")) {
    EXPECT_TRUE(schema.contains("maxLength")) << path;
  }
  if (type == "array") {
    EXPECT_TRUE(schema.contains("maxItems")) << path;
    EXPECT_TRUE(schema.contains("x-kubernetes-list-type")) << path;
  }
  if (schema.contains("additionalProperties")) {
    EXPECT_TRUE(schema.contains("maxProperties")) << path;
    expect_bounds(schema["additionalProperties"], path + "{}");
  }
  if (type == "object") {
    EXPECT_TRUE(raw || schema.contains("properties") || schema.contains("additionalProperties"))
        << path;
  }
  if (schema.contains("properties")) {
    for (const auto& [name, property] : schema["properties"].items()) {
      // Kubernetes' own types are described elsewhere.
      const bool is_ours = path.find(".template.") == std::string::npos &&
                           path.find(".resources") == std::string::npos &&
                           path.find(".networkPolicy.") == std::string::npos &&
                           path.find(".allowedFrom") == std::string::npos;
      EXPECT_TRUE(!is_ours || !kube::string_at(property, "description").empty())
          << path << "." << name;
      expect_bounds(property, path + "." + name);
    }
  }
  if (schema.contains("items")) expect_bounds(schema["items"], path + "[]");
}

TEST(Schema, EverythingHasABoundAndAMeaning) {
  const kube::Json schema = root();
  for (const char* part : {"spec", "status"})
    expect_bounds(at(schema, std::string("properties/") + part), part);
}

TEST(Schema, NamedListsAreMaps) {
  const kube::Json schema = root();
  for (const char* path :
       {"properties/spec/properties/exporters",
        "properties/spec/properties/image/properties/pullSecrets",
        "properties/spec/properties/ingress/properties/auth/properties/tokens",
        "properties/spec/properties/ingress/properties/template/properties/env"}) {
    EXPECT_EQ(kube::string_at(at(schema, path), "x-kubernetes-list-type"), "map") << path;
    EXPECT_EQ(at(schema, std::string(path) + "/x-kubernetes-list-map-keys"), kube::Json({"name"}))
        << path;
  }
  EXPECT_EQ(at(schema, "properties/status/properties/conditions/x-kubernetes-list-map-keys"),
            kube::Json({"type"}));
}

TEST(Schema, DefaultsAreThoseOfTheStructs) {
  const kube::Json schema = root();
  const std::string spec = "properties/spec/properties/";
  // The API server asks the rules about a default as it is written.
  EXPECT_EQ(at(schema, spec + "ingress/default/tenant/from"), "None");
  EXPECT_EQ(at(schema, spec + "ingress/default/grpc"),
            kube::Json({{"enabled", true}, {"port", 4317}}));
  EXPECT_EQ(kube::find(schema, spec + "ingress/default/tls"), nullptr);
  EXPECT_EQ(at(schema, spec + "ingress/properties/grpc/properties/port/default"), 4317);
  EXPECT_EQ(at(schema, spec + "kafka/properties/topics/properties/retention/default"), "24h");
  EXPECT_EQ(at(schema, spec + "rollout/properties/strategy/default"), "Canary");
  // Required fields have no default, and neither have fields that mean "the broker's default".
  EXPECT_EQ(kube::find(schema, spec + "kafka/default"), nullptr);
  EXPECT_EQ(
      kube::find(schema, spec + "kafka/properties/topics/properties/replicationFactor/default"),
      nullptr);
}

TEST(Schema, OnlyKubernetesOwnTypesAreLeftOpen) {
  std::vector<std::string> open;
  const std::function<void(const kube::Json&, const std::string&)> walk =
      [&](const kube::Json& schema, const std::string& name) {
        if (!schema.is_structured()) return;
        if (schema.is_object() && kube::bool_at(schema, "x-kubernetes-preserve-unknown-fields"))
          open.push_back(name);
        for (const auto& [key, inner] : schema.items())
          walk(inner, key == "items" || key == "properties" ? name : key);
      };
  walk(root(), "");
  EXPECT_THAT(open, testing::Each(testing::AnyOf("resources", "tolerations", "affinity",
                                                 "topologySpreadConstraints", "config",
                                                 "extraIngress", "extraEgress")));
  EXPECT_FALSE(open.empty());
}

TEST(Schema, ColumnsAndSubresourcesAreThere) {
  const kube::Json version = at(crd(), "spec/versions/0");
  std::vector<std::string> columns;
  for (const kube::Json& column : at(version, "additionalPrinterColumns"))
    columns.push_back(kube::string_at(column, "name"));
  EXPECT_THAT(columns, testing::ElementsAre("Ready", "Reason", "Ingress", "Exporters", "Lag",
                                            "Config", "Version", "Age"));
  EXPECT_EQ(kube::string_at(version, "subresources/scale/specReplicasPath"),
            ".spec.ingress.replicas");
  EXPECT_EQ(at(crd(), "spec/names/shortNames"), kube::Json({"pl"}));
  EXPECT_EQ(at(crd(), "spec/names/categories"), kube::Json({"all", "telemetry"}));
}

TEST(Schema, EditorsRefuseUnknownNamesWithoutKubernetesExtensions) {
  const kube::Json schema = json_schema();
  EXPECT_EQ(at(schema, "properties/spec/additionalProperties"), false);
  EXPECT_EQ(at(schema, "properties/spec/properties/exporters/items/additionalProperties"), false);
  // Raw fields accept any name.
  EXPECT_EQ(kube::find(schema,
                       "properties/spec/properties/ingress/properties/config/additionalProperties"),
            nullptr);
  EXPECT_EQ(kube::to_text(schema).find("x-kubernetes"), std::string::npos);
}

}  // namespace
}  // namespace spanway::api
