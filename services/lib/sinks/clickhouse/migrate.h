// Brings a ClickHouse database to the newest schema.
#pragma once

#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/tls.h"

namespace spanway::sinks {

struct MigrateOptions {
  clickhouse::ClientOptions client;  // Its user may create databases and tables.
  ClientTlsConfig tls;
  std::string cluster;  // Empty = one server.
  bool dry_run = false;
  Duration statement_timeout = std::chrono::minutes(2);
};

struct MigrateReport {
  std::vector<std::string> applied;     // Names of the files; with dry_run, those that would be.
  std::vector<std::string> statements;  // With dry_run: what would be executed.
};

// Executes each file that schema_version does not name, in order, and records it there. Every
// statement can be repeated, so that a run that was interrupted is finished by the next one.
// FAILED_PRECONDITION, configuration, "schema_mismatch" when a recorded file has another checksum
// than ours (the database belongs to another version), or when the tables and views are not those
// of the schema afterwards. Blocks; not for io threads.
Result<MigrateReport> migrate(const MigrateOptions& options, http::IoPool& io, const Clock& clock);

}  // namespace spanway::sinks
