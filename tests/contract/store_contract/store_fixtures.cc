#include "tests/contract/store_contract/store_fixtures.h"

#include <gtest/gtest.h>

#include <stop_token>
#include <utility>

#include "services/lib/otlp_blocks/converter.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/clickhouse/migrate.h"
#include "services/query/store/clickhouse/clickhouse_trace_store.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "services/query/store/s3/s3_trace_store.h"
#include "tests/fakes/stored_spans.h"
#include "tests/integration/clickhouse/clickhouse_server.h"
#include "tests/integration/s3/s3_server.h"

namespace spanway::query {
namespace {

using clickhouse::BlockingClient;
using clickhouse::ClickHouseServer;
using objectstore::S3Server;

class MemoryFixture final : public StoreFixture {
 public:
  TraceStore& store() override { return store_; }
  void add(const std::string& tenant, const std::string& payload) override {
    ASSERT_TRUE(store_.add(tenant, payload).ok());
  }

 private:
  MemoryTraceStore store_;
};

class ClickHouseFixture final : public StoreFixture {
 public:
  ClickHouseFixture()
      : client_(ClickHouseServer::shared()->url(),
                ClickHouseServer::shared()->database("store_contract")),
        store_(client_.client()) {
    sinks::MigrateOptions options;
    options.client.url = ClickHouseServer::shared()->url();
    options.client.database = "store_contract";
    http::IoPool io("migrate", 1);
    EXPECT_TRUE(sinks::migrate(options, io, system_clock()).ok());
  }
  TraceStore& store() override { return store_; }
  void add(const std::string& tenant, const std::string& payload) override {
    otlp_blocks::Converter converter;
    auto blocks = converter.convert(otlp::Signal::kTraces, payload, {.tenant = tenant});
    ASSERT_TRUE(blocks.ok());
    for (auto& block : blocks->dictionaries)
      ASSERT_TRUE(client_.insert(std::string(block.table), block.rows).ok());
    for (auto& block : blocks->data)
      ASSERT_TRUE(client_.insert(std::string(block.table), block.rows).ok());
  }

 private:
  BlockingClient client_;
  ClickHouseTraceStore store_;
};

class S3Fixture final : public StoreFixture {
 public:
  S3Fixture()
      : bucket_(S3Server::shared()->options(S3Server::shared()->bucket(next_bucket()))),
        store_({.open = [this](Deadline deadline,
                               std::stop_token stop) { return bucket_.open(deadline, stop); },
                .codec = parquet_file::arrow_codec(),
                .prefix = "p",
                .endpoint = ""},
               budget_, system_clock()) {}
  TraceStore& store() override { return store_; }
  void add(const std::string& tenant, const std::string& payload) override {
    ASSERT_TRUE(fakes::put_spans(bucket_.store(), "p", tenant, payload).ok());
  }

 private:
  static std::string next_bucket() {
    static int number = 0;
    return "store-contract-" + std::to_string(++number);
  }

  MemoryBudget budget_{256u << 20};
  objectstore::TestBucket bucket_;
  S3TraceStore store_;
};

}  // namespace

std::unique_ptr<StoreFixture> make_store_fixture(const std::string& kind,
                                                 std::string& unavailable) {
  if (kind == "memory") return std::make_unique<MemoryFixture>();
  if (kind == "clickhouse") {
    unavailable = "tests/parts/clickhouse.sh get: " + ClickHouseServer::unavailable();
    if (ClickHouseServer::shared() == nullptr) return nullptr;
    return std::make_unique<ClickHouseFixture>();
  }
  unavailable = "tests/parts/s3.sh get: the command failed; its output is above";
  if (S3Server::shared() == nullptr) return nullptr;
  return std::make_unique<S3Fixture>();
}

}  // namespace spanway::query
