// The stores under contract, each with a way to fill it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/sinks/clickhouse/migrate.h"
#include "services/query/store/trace_store.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::query {

// `Store` is a contract: TraceStore, LogStore or MetricStore. Single-thread. Empty at first.
template <class Store>
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual Store& store() = 0;
  // Stores an export request of the signal of `Store`.
  virtual void add(const std::string& tenant, const std::string& payload) = 0;
};

template <class Store, class MemoryStore>
class MemoryFixture final : public StoreFixture<Store> {
 public:
  Store& store() override { return store_; }
  void add(const std::string& tenant, const std::string& payload) override {
    ASSERT_TRUE(store_.add(tenant, payload).ok());
  }

 private:
  MemoryStore store_;
};

// On the real server, which must be available; in a new database of this name.
template <class Store, class ClickHouseStore, otlp::Signal signal>
class ClickHouseFixture final : public StoreFixture<Store> {
 public:
  template <class... Options>
  explicit ClickHouseFixture(const std::string& database, Options... options_of_store)
      : client_(clickhouse::ClickHouseServer::shared()->url(),
                clickhouse::ClickHouseServer::shared()->database(database)),
        store_(client_.client(), options_of_store...) {
    sinks::MigrateOptions options;
    options.client.url = clickhouse::ClickHouseServer::shared()->url();
    options.client.database = database;
    http::IoPool io("migrate", 1);
    EXPECT_TRUE(sinks::migrate(options, io, system_clock()).ok());
  }
  Store& store() override { return store_; }
  void add(const std::string& tenant, const std::string& payload) override {
    otlp_blocks::Converter converter;
    auto blocks = converter.convert(signal, payload, {.tenant = tenant});
    ASSERT_TRUE(blocks.ok());
    for (auto& block : blocks->dictionaries)
      ASSERT_TRUE(client_.insert(std::string(block.table), block.rows).ok());
    for (auto& block : blocks->data)
      ASSERT_TRUE(client_.insert(std::string(block.table), block.rows).ok());
  }

 private:
  clickhouse::BlockingClient client_;
  ClickHouseStore store_;
};

// `kind`: memory, or clickhouse or s3 on the real server. Null when the server cannot be had:
// `unavailable` says why.
std::unique_ptr<StoreFixture<TraceStore>> make_trace_store_fixture(const std::string& kind,
                                                                   std::string& unavailable);

}  // namespace spanway::query
