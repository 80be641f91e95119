#include "services/lib/sinks/clickhouse/config.h"

#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway::sinks {

void describe(config::Binder& b, ClickHouseConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "URL of the server's HTTP interface.", .example = "http://clickhouse:8123"});
  b.key("database", c.database,
        {.doc = "Database of the tables; `spanway-exporter migrate` creates both.",
         .pattern = "[A-Za-z_][A-Za-z0-9_]{0,63}"});
  b.key("username", c.username,
        {.doc = "User that may insert and read system.columns; empty = the server's default."});
  b.key("password", c.password,
        {.doc = "Its password: refer to the environment or to a file; ${file:path} is read again "
                "every 5 s.",
         .example = "\"${env:CLICKHOUSE_PASSWORD}\"",
         .reread = true});
  b.key("cluster", c.cluster,
        {.doc = "Name of a cluster: tables are replicated and distributed over it. Empty = one "
                "server.",
         .pattern = "[A-Za-z0-9_.-]{0,64}"});
  b.key("compression", c.compression, {"none", "zstd"}, {.doc = "Compression of inserts."});
  b.section("tls", c.tls, "TLS, for https:// URLs.");
  describe_timeout(b, c.timeout);
  b.key("insert_quorum", c.insert_quorum,
        {.doc = "Replicas that must have an insert before it is acknowledged; 0 = the one that "
                "received it.",
         .min = 0,
         .max = 16});
  b.key("connections", c.connections,
        {.doc = "Most connections to the server.", .min = 1, .max = kConnectionsMax});
}

void validate(const ClickHouseConfig& c, const std::string& path, config::Problems& problems) {
  check_base_url(path + ".endpoint", c.endpoint, problems);
  spanway::validate(c.tls, path + ".tls", problems);
  if (c.database.empty()) problems.add(path + ".database", "must name a database");
  if (c.username.empty() && !c.password.empty())
    problems.add(path + ".password", "needs a username");
  // Both are sent as headers.
  const auto check = [&](const char* key, const std::string& value) {
    std::string problem = config::header_value_problem(value, config::HeaderUse::kHttp);
    if (!problem.empty()) problems.add(path + key, std::move(problem));
  };
  check(".username", c.username);
  check(".password", c.password.reveal());
}

std::string endpoint_of(const ClickHouseConfig& c) {
  return c.endpoint.substr(0, c.endpoint.find('?'));
}

}  // namespace spanway::sinks
