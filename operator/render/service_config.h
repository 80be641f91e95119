// The configuration files of the components.
#pragma once

#include <string>

#include "operator/render/component_spec.h"
#include "services/lib/base/clock.h"

namespace spanway::render {

// The file of a component, overlay and memory shares included.
Json service_config(const api::Pipeline& pipeline, const ComponentSpec& spec);
// The file of the Jobs that migrate or compact what an exporter stores: its destination.
Json storage_config(const api::Pipeline& pipeline, const api::Exporter& exporter);
// The file of the topics Job.
Json topics_config(const api::Pipeline& pipeline);

// How long a pod needs to stop, from the file: the delay, the drain, and a margin.
Duration shutdown_time(const Json& config);

// Escapes literal text for the services' loader: `$` would start a substitution.
std::string literal(const std::string& text);

}  // namespace spanway::render
