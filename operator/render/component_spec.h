// A common view of all kinds of components.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/render/render.h"

namespace spanway::render {

// Points into the Pipeline, which must outlive it.
struct ComponentSpec {
  ComponentId id;
  std::string object;  // object_name()
  std::string field;   // Its path in the resource: "spec.exporters[tempo].consumer"
  const api::Exporter* exporter = nullptr;  // Set for kExporter and kConsumer.
  const api::PodTemplate* pods = nullptr;
  const Json* config = nullptr;  // The overlay; an object or null.
  std::int64_t replicas = 1;
  const std::optional<api::CpuAutoscaling>* cpu_autoscaling = nullptr;
  const std::optional<api::LagAutoscaling>* lag_autoscaling = nullptr;

  bool is_autoscaled() const noexcept {
    return (cpu_autoscaling != nullptr && cpu_autoscaling->has_value()) ||
           (lag_autoscaling != nullptr && lag_autoscaling->has_value());
  }
};

// All components in the order of a rollout.
std::vector<ComponentSpec> component_specs(const api::Pipeline& pipeline);
// An existing component; an unknown exporter is a bug of the caller.
ComponentSpec component_spec(const api::Pipeline& pipeline, const ComponentId& id);

// Ports inside the pods; Services may use others.
inline constexpr int kAdminPort = 8080;
inline constexpr int kIngressGrpcPort = 4317;
inline constexpr int kIngressHttpPort = 4318;
inline constexpr int kBridgePort = 4327;
inline constexpr int kExporterPort = 4337;
inline constexpr int kQueryPort = 8081;
inline constexpr int kQueryGrpcPort = 16685;

// "<object>.<namespace>.svc:<port>", found in any cluster domain by the pod's search list.
std::string service_address(const std::string& object, const std::string& name_space, int port);

// Truncated to `bytes_max`; a hash of the full text replaces the rest.
std::string shortened(const std::string& name, std::size_t bytes_max);

}  // namespace spanway::render
