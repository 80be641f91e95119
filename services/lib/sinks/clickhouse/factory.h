// Creates the sink, and the options of a migration, from their section of the configuration.
#pragma once

#include "services/lib/sinks/clickhouse/config.h"
#include "services/lib/sinks/clickhouse/migrate.h"
#include "services/lib/sinks/destination.h"
#include "services/lib/sinks/factory.h"

namespace spanway::sinks {

// Does not wait for the destination.
SinkResult create_clickhouse(const DestinationConfig& config, const DestinationDeps& deps);

MigrateOptions migrate_options(const ClickHouseConfig& config, bool dry_run);

}  // namespace spanway::sinks
