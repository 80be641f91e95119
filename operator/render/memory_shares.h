// Divides a container's memory among the buffers of its service.
#pragma once

#include <cstdint>

#include "operator/render/component_spec.h"

namespace spanway::render {

// resources.limits.memory of the container in bytes, or the operator's assumption
// without a valid limit.
std::uint64_t container_memory(const ComponentSpec& spec);
// The resources of the component's container.
Json container_resources(const ComponentSpec& spec);

// Writes the shares into a generated file unless the overlay sets them.
void add_memory_shares(const ComponentSpec& spec, Json& config);

}  // namespace spanway::render
