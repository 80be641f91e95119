// destination.clickhouse: the tables of services/lib/schema in a ClickHouse server or cluster.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct ClickHouseConfig {
  enum class Compression { kNone, kZstd } compression = Compression::kZstd;
  std::string endpoint = "http://127.0.0.1:8123";
  std::string database = "otel";
  std::string username;
  Secret password;
  std::string cluster;
  HttpTlsConfig tls;
  Duration timeout = std::chrono::seconds(30);
  std::int64_t insert_quorum = 0;
  std::int64_t connections = 8;
};

void describe(config::Binder& b, ClickHouseConfig& c);
// `path` is that of the section, for problems.
void validate(const ClickHouseConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info and query.
std::string endpoint_of(const ClickHouseConfig& c);

}  // namespace spanway::sinks
