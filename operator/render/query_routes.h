// Ways to the query Service from outside of the cluster.
#pragma once

#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

// The Ingress and the HTTPRoute, as far as the Pipeline has them. Without the HTTPRoute where the
// cluster does not serve the kind: check_served() refuses it there.
std::vector<Manifest> query_routes(const Context& context, const ComponentSpec& spec);

}  // namespace spanway::render
