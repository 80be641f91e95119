// Creates the sink from its section of the configuration.
#pragma once

#include "services/lib/sinks/destination.h"
#include "services/lib/sinks/factory.h"

namespace spanway::sinks {

// Does not wait for the destination.
SinkResult create_prometheus_remote_write(const DestinationConfig& config,
                                          const DestinationDeps& deps);

}  // namespace spanway::sinks
