// What of a container's memory a service may use for what.
#pragma once

#include <cstdint>

#include "operator/render/component_spec.h"

namespace spanway::render {

// resources.limits.memory of the container in bytes, or what the operator assumes where there is no
// limit or it is no quantity.
std::uint64_t container_memory(const ComponentSpec& spec);
// The resources of the component's container.
Json container_resources(const ComponentSpec& spec);

// Writes the shares into a generated file wherever the overlay has not stated them.
void add_memory_shares(const ComponentSpec& spec, Json& config);

}  // namespace spanway::render
