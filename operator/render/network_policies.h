// Who may talk to whom.
#pragma once

#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

// One per component and one for the Job that looks after the topics; none when they are turned off.
std::vector<Manifest> network_policies(const Context& context);

// True when nobody but the component in front can reach this port of our pods: only then may what
// is said there about tenants be believed.
bool is_shielded(const api::Pipeline& pipeline, int port);

}  // namespace spanway::render
