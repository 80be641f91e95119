// What runs a component's pods: the stable workload, its canary, and what scales them.
#pragma once

#include "operator/render/object_parts.h"

namespace spanway::render {

Manifest stable_workload(const Context& context, const ComponentSpec& spec, const Json& pods);
// A Deployment of one pod; of none where the stable workload has none.
Manifest canary_workload(const Context& context, const ComponentSpec& spec, const Json& pods);
Manifest disruption_budget(const Context& context, const ComponentSpec& spec);
// Of a component with CPU autoscaling.
Manifest cpu_autoscaler(const Context& context, const ComponentSpec& spec);

}  // namespace spanway::render
