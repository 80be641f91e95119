// Scraping and alerts, for clusters with the Prometheus operator.
#pragma once

#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

// A ServiceMonitor and a PrometheusRule, where the cluster serves the kind and the Pipeline enables
// it.
std::vector<Manifest> monitoring(const Context& context);

}  // namespace spanway::render
