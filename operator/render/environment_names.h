// The environment variables that the services read as settings.
#pragma once

#include <string>

#include "operator/render/render.h"

namespace spanway::render {

// True when a variable of this name would set a key of the service's file, by its full name
// (SPANWAY_...) or by one of the aliases that the service declares (KAFKA_BROKERS).
bool sets_service_key(Role role, const std::string& name);

}  // namespace spanway::render
