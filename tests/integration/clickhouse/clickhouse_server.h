// The real ClickHouse server of tests/parts, started once per test binary on free ports.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/http/io_pool.h"

namespace spanway::clickhouse {

// Single-thread.
class ClickHouseServer {
 public:
  // The server, started at the first call; null when the part cannot be had: unavailable() says
  // why.
  static ClickHouseServer* shared();
  static const std::string& unavailable();

  const std::string& url() const noexcept { return url_; }
  Status stop();
  Status start();
  // Ends the process without a chance to write anything.
  Status kill9();
  // A new database, dropped and created.
  std::string database(const std::string& name);

  ~ClickHouseServer();

 private:
  ClickHouseServer(std::string folder, int http_port, int tcp_port);
  bool run(const std::string& command) const;
  const std::string folder_;
  const std::string environment_;
  const std::string url_;
};

// Calls that wait for their answer.
class BlockingClient {
 public:
  BlockingClient(const std::string& url, const std::string& database,
                 const std::string& username = "", const std::string& password = "");
  Client& client() noexcept { return *client_; }
  Status execute(const std::string& sql);
  Result<std::vector<block::Block>> select(const std::string& sql);
  Status insert(const std::string& table, const block::Block& block, Settings settings = {});
  Status insert_bytes(const std::string& sql, Bytes body, Settings settings = {});
  // The first column of the first row as text; "" without rows.
  std::string value(const std::string& sql);

 private:
  http::IoPool io_{"clickhouse", 1};
  std::unique_ptr<Client> client_;
};

#define SPANWAY_NEEDS_CLICKHOUSE()             \
  if (ClickHouseServer::shared() == nullptr)   \
  GTEST_SKIP() << "tests/parts/clickhouse.sh " \
                  "get: "                      \
               << ClickHouseServer::unavailable()

}  // namespace spanway::clickhouse
