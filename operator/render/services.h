// The Services of a component.
#pragma once

#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

// The ingress: one for applications and a headless one for its admin port. The others: a headless
// one, whose addresses the sender in front uses in turn (or that a StatefulSet needs).
std::vector<Manifest> component_services(const Context& context, const ComponentSpec& spec);

// On Services whose admin port is scraped for metrics.
inline constexpr char kMetricsLabel[] = "spanway.dev/metrics";

}  // namespace spanway::render
