// The stable workload of a component, its canary, and its autoscaler and disruption budget.
#pragma once

#include "operator/render/object_parts.h"

namespace spanway::render {

Manifest stable_workload(const Context& context, const ComponentSpec& spec, const Json& pods);
// A Deployment of one pod, or of none when the stable workload has none.
Manifest canary_workload(const Context& context, const ComponentSpec& spec, const Json& pods);
Manifest disruption_budget(const Context& context, const ComponentSpec& spec);
// For a component with CPU autoscaling.
Manifest cpu_autoscaler(const Context& context, const ComponentSpec& spec);

}  // namespace spanway::render
