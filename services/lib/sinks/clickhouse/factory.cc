#include "services/lib/sinks/clickhouse/factory.h"

#include <utility>

#include "services/lib/sinks/clickhouse/clickhouse_sink.h"

namespace spanway::sinks {
namespace {

clickhouse::ClientOptions client_options(const ClickHouseConfig& c) {
  clickhouse::ClientOptions options;
  options.url = c.endpoint;
  options.database = c.database;
  options.username = c.username;
  options.password = c.password;
  options.connections_max = static_cast<std::size_t>(c.connections);
  return options;
}

}  // namespace

SinkResult create_clickhouse(const DestinationConfig& config, const DestinationDeps& deps) {
  const ClickHouseConfig& c = config.clickhouse;
  ClickHouseSinkOptions options;
  options.client = client_options(c);
  options.tls = c.tls;
  options.policy = {.quorum = c.insert_quorum, .distributed = !c.cluster.empty()};
  options.compress = c.compression == ClickHouseConfig::Compression::kZstd;
  options.insert_timeout = c.timeout;
  options.in_flight_max = static_cast<std::size_t>(config.in_flight_max);
  return as_sink(ClickHouseSink::create(std::move(options), {deps.io, deps.clock, deps.telemetry}));
}

MigrateOptions migrate_options(const ClickHouseConfig& config, bool dry_run) {
  MigrateOptions options;
  options.client = client_options(config);
  options.tls = config.tls;
  options.cluster = config.cluster;
  options.dry_run = dry_run;
  return options;
}

}  // namespace spanway::sinks
