#include "operator/render/component_spec.h"

#include <algorithm>

#include "services/lib/base/ascii.h"
#include "services/lib/base/check.h"

namespace spanway::render {
namespace {

// A StatefulSet's pods carry its name with "-" and ten characters as a label of at most 63; and
// "-canary" must still fit.
constexpr std::size_t kObjectNameMax = 52;
constexpr std::size_t kHashDigits = 8;

ComponentSpec make_spec(const api::Pipeline& pipeline, ComponentId id, std::string field) {
  ComponentSpec spec;
  spec.object = object_name(pipeline.name, id);
  spec.id = std::move(id);
  spec.field = std::move(field);
  return spec;
}

ComponentSpec exporter_spec(const api::Pipeline& pipeline, const api::Exporter& exporter) {
  ComponentSpec spec = make_spec(pipeline, {Role::kExporter, exporter.name},
                                 "spec.exporters[" + exporter.name + "]");
  spec.exporter = &exporter;
  spec.pods = &exporter.pods;
  spec.config = &exporter.config;
  spec.replicas = exporter.replicas;
  spec.cpu_autoscaling = &exporter.autoscaling;
  return spec;
}

ComponentSpec consumer_spec(const api::Pipeline& pipeline, const api::Exporter& exporter) {
  ComponentSpec spec = make_spec(pipeline, {Role::kConsumer, exporter.name},
                                 "spec.exporters[" + exporter.name + "].consumer");
  spec.exporter = &exporter;
  spec.pods = &exporter.consumer.pods;
  spec.config = &exporter.consumer.config;
  spec.replicas = exporter.paused ? 0 : exporter.consumer.replicas;
  if (!exporter.paused) spec.lag_autoscaling = &exporter.consumer.autoscaling;
  return spec;
}

}  // namespace

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::kExporter:
      return "exporter";
    case Role::kConsumer:
      return "consumer";
    case Role::kBridge:
      return "bridge";
    case Role::kIngress:
      return "ingress";
    case Role::kQuery:
      return "query";
  }
  return "";
}

std::string shortened(const std::string& name, std::size_t bytes_max) {
  if (name.size() <= bytes_max) return name;
  const std::string hash = kube::fingerprint(name).substr(0, kHashDigits);
  const std::string head = name.substr(0, bytes_max - hash.size() - 1);
  return std::string(trim_end(head, "-.")) + "-" + hash;
}

std::string object_name(const std::string& pipeline, const ComponentId& id) {
  // A second dash, because "a-b" of Pipeline "x" is not "b" of Pipeline "x-a".
  std::string name = pipeline + (id.exporter.find('-') == std::string::npos ? "-" : "--");
  switch (id.role) {
    case Role::kExporter:
      name += id.exporter;
      break;
    case Role::kConsumer:
      name += id.exporter + "-consumer";
      break;
    case Role::kBridge:
    case Role::kIngress:
    case Role::kQuery:
      name += to_string(id.role);
      break;
  }
  return shortened(name, kObjectNameMax);
}

std::vector<ComponentSpec> component_specs(const api::Pipeline& pipeline) {
  std::vector<ComponentSpec> specs;
  for (const api::Exporter& exporter : pipeline.spec.exporters)
    specs.push_back(exporter_spec(pipeline, exporter));
  for (const api::Exporter& exporter : pipeline.spec.exporters)
    specs.push_back(consumer_spec(pipeline, exporter));

  ComponentSpec bridge = make_spec(pipeline, {Role::kBridge, ""}, "spec.bridge.produce");
  bridge.pods = &pipeline.spec.produce.pods;
  bridge.config = &pipeline.spec.produce.config;
  bridge.replicas = pipeline.spec.produce.replicas;
  bridge.cpu_autoscaling = &pipeline.spec.produce.autoscaling;
  specs.push_back(std::move(bridge));

  ComponentSpec ingress = make_spec(pipeline, {Role::kIngress, ""}, "spec.ingress");
  ingress.pods = &pipeline.spec.ingress.pods;
  ingress.config = &pipeline.spec.ingress.config;
  ingress.replicas = pipeline.spec.ingress.replicas;
  ingress.cpu_autoscaling = &pipeline.spec.ingress.autoscaling;
  specs.push_back(std::move(ingress));

  if (pipeline.spec.query) {
    ComponentSpec query = make_spec(pipeline, {Role::kQuery, ""}, "spec.query");
    query.pods = &pipeline.spec.query->pods;
    query.config = &pipeline.spec.query->config;
    query.replicas = pipeline.spec.query->replicas;
    query.cpu_autoscaling = &pipeline.spec.query->autoscaling;
    specs.push_back(std::move(query));
  }

  for (ComponentSpec& spec : specs) {
    if (spec.cpu_autoscaling != nullptr && spec.cpu_autoscaling->has_value())
      spec.replicas = (*spec.cpu_autoscaling)->min_replicas;
    if (spec.lag_autoscaling != nullptr && spec.lag_autoscaling->has_value())
      spec.replicas = (*spec.lag_autoscaling)->min_replicas;
  }
  return specs;
}

ComponentSpec component_spec(const api::Pipeline& pipeline, const ComponentId& id) {
  std::vector<ComponentSpec> specs = component_specs(pipeline);
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&id](const ComponentSpec& spec) { return spec.id == id; });
  SPANWAY_CHECK(found != specs.end());
  return *found;
}

std::string service_address(const std::string& object, const std::string& name_space, int port) {
  return object + "." + name_space + ".svc:" + std::to_string(port);
}

}  // namespace spanway::render
