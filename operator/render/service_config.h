// The configuration files of the components.
#pragma once

#include <string>

#include "operator/render/component_spec.h"
#include "services/lib/base/clock.h"

namespace spanway::render {

// The file of a component, overlay and memory shares included.
Json service_config(const api::Pipeline& pipeline, const ComponentSpec& spec);
// Of the Job that looks after the topics.
Json topics_config(const api::Pipeline& pipeline);

// How long a stopping pod needs, from the file: the delay, the drain, and some time to leave.
Duration shutdown_time(const Json& config);

// Literal text as the services' loader reads it back: `$` would start a substitution.
std::string literal(const std::string& text);

}  // namespace spanway::render
