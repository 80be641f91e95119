// The CustomResourceDefinition and the editors' schema, from the declaration.
#include "operator/api/declaration.h"
#include "operator/api/schema.h"

namespace spanway::api {
namespace {

constexpr char kGroup[] = "spanway.dev";
constexpr char kVersion[] = "v1alpha1";
constexpr char kDoc[] =
    "A telemetry pipeline: an ingress that takes OTLP, Kafka in the middle, and an exporter with "
    "its own consumer for each destination.";

Json column(const char* name, const char* path, const char* doc) {
  return {{"name", name}, {"type", "string"}, {"jsonPath", path}, {"description", doc}};
}

Json printer_columns() {
  Json columns = {
      column("Ready", ".status.conditions[?(@.type==\"Ready\")].status",
             "Status of the Ready condition."),
      column("Reason", ".status.conditions[?(@.type==\"Ready\")].reason", "Why, or why not."),
      column("Ingress", ".status.summary.ingress", "Ready and desired pods of the ingress."),
      column("Exporters", ".status.summary.exporters", "Healthy exporters and all."),
      column("Lag", ".status.summary.lag", "Age of the oldest record that is not delivered."),
      column("Config", ".status.summary.config", "State of the configuration."),
      column("Version", ".status.version", "Version of the components."),
      column("Age", ".metadata.creationTimestamp", "Since when the Pipeline exists.")};
  columns.back()["type"] = "date";
  return columns;
}

Json root_schema(SchemaDialect dialect) {
  Json schema = object_schema(dialect, [](Fields& f) {
    Pipeline pipeline;
    describe(f, pipeline);
  });
  schema["description"] = kDoc;
  Json& properties = schema["properties"];
  properties["apiVersion"] = {{"type", "string"}};
  properties["kind"] = {{"type", "string"}};
  properties["metadata"] = {{"type", "object"}};
  if (dialect == SchemaDialect::kKubernetes) {
    properties["status"] = status_schema();
  } else {
    properties["apiVersion"]["const"] = std::string(kGroup) + "/" + kVersion;
    properties["kind"]["const"] = "Pipeline";
    properties["status"] = {{"type", "object"}};
    for (const char* name : {"apiVersion", "kind", "metadata"}) schema["required"].push_back(name);
  }
  return schema;
}

}  // namespace

Json crd() {
  const Json names = {{"kind", "Pipeline"},    {"listKind", "PipelineList"},
                      {"plural", "pipelines"}, {"singular", "pipeline"},
                      {"shortNames", {"pl"}},  {"categories", {"all", "telemetry"}}};
  const Json version = {{"name", kVersion},
                        {"served", true},
                        {"storage", true},
                        {"additionalPrinterColumns", printer_columns()},
                        {"schema", {{"openAPIV3Schema", root_schema(SchemaDialect::kKubernetes)}}},
                        {"subresources",
                         {{"status", Json::object()},
                          {"scale",
                           {{"specReplicasPath", ".spec.ingress.replicas"},
                            {"statusReplicasPath", ".status.replicas"},
                            {"labelSelectorPath", ".status.selector"}}}}}};
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata",
           {{"name", std::string("pipelines.") + kGroup},
            {"labels", {{"app.kubernetes.io/name", "spanway"}}}}},
          {"spec",
           {{"group", kGroup},
            {"scope", "Namespaced"},
            {"names", names},
            {"versions", Json::array({version})}}}};
}

Json json_schema() {
  Json schema = root_schema(SchemaDialect::kEditor);
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "Pipeline";
  return schema;
}

}  // namespace spanway::api
