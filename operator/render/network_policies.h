// The NetworkPolicies of the components.
#pragma once

#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

// One per component and one for the topics Job; none when they are disabled.
std::vector<Manifest> network_policies(const Context& context);

// True when only the component in front can reach this port: only then may the pods trust its
// tenant header.
bool is_shielded(const api::Pipeline& pipeline, int port);

}  // namespace spanway::render
