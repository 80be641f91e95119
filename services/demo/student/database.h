// The table `student` in PostgreSQL, over libpq. The only header that knows where rows lie.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/demo/student/student.h"
#include "services/demo/tracing/tracer.h"
#include "services/lib/base/result.h"

struct pg_conn;

namespace spanway::demo {

// One connection, which is opened again after a failure. Every call blocks, for at most
// kConnectSeconds to connect and kStatementSeconds for a statement; one thread at a time. An error
// is transient when the server is away. Each statement is a span of the kind CLIENT.
class Database {
 public:
  static constexpr int kConnectSeconds = 3, kStatementSeconds = 5;

  // `connection`: a connection string of libpq, "host=127.0.0.1 port=5432 dbname=postgres". Does
  // not connect yet. The tracer outlives it.
  Database(std::string connection, Tracer& tracer);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Creates the table unless it is there.
  Status create_table();
  // Returns the id of the new row.
  Result<std::int64_t> insert(const Student& student, const SpanContext& parent);
  // NOT_FOUND when there is no such row.
  Status set_fees(std::int64_t id, std::int64_t fees, const SpanContext& parent);

 private:
  Status connect();
  // The first value of the first row, or the number of rows that were changed.
  Result<std::string> run(const char* statement, const std::vector<std::string>& values);
  Result<std::string> traced(const char* name, const char* statement,
                             const std::vector<std::string>& values, const SpanContext& parent);

  const std::string connection_;
  Tracer& tracer_;
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> session_;
};

}  // namespace spanway::demo
