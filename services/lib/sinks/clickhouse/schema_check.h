// Compares the tables of a server with the schema.
#pragma once

#include <functional>
#include <memory>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/clickhouse/clickhouse_client.h"

namespace spanway::sinks {

// Which tables are compared: those that an exporter inserts into, which its user can see, or all of
// them and the views between them.
enum class SchemaScope { kWritten, kAll };

// Asks the server for the columns of its database. FAILED_PRECONDITION, configuration,
// "schema_mismatch" with each difference when they do not fit; else the error of the question.
// `done` runs once, on an io thread.
void check_schema(clickhouse::Client& client, SchemaScope scope, Deadline deadline,
                  std::function<void(Status)> done);

}  // namespace spanway::sinks
