#include "tests/contract/store_contract/store_fixtures.h"

#include <stop_token>
#include <utility>

#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/query/store/clickhouse/clickhouse_trace_store.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "services/query/store/s3/s3_trace_store.h"
#include "tests/fakes/stored_spans.h"
#include "tests/integration/s3/s3_server.h"

namespace spanway::query {
namespace {

using clickhouse::ClickHouseServer;
using objectstore::S3Server;

class S3Fixture final : public StoreFixture<TraceStore> {
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

std::unique_ptr<StoreFixture<TraceStore>> make_trace_store_fixture(const std::string& kind,
                                                                   std::string& unavailable) {
  if (kind == "memory") return std::make_unique<MemoryFixture<TraceStore, MemoryTraceStore>>();
  if (kind == "clickhouse") {
    unavailable = "tests/parts/clickhouse.sh get: " + ClickHouseServer::unavailable();
    if (ClickHouseServer::shared() == nullptr) return nullptr;
    return std::make_unique<
        ClickHouseFixture<TraceStore, ClickHouseTraceStore, otlp::Signal::kTraces>>(
        // So that searches have several windows.
        "store_contract", ClickHouseTraceStoreOptions{.first_window_spans = 1});
  }
  unavailable = "tests/parts/s3.sh get: the command failed; its output is above";
  if (S3Server::shared() == nullptr) return nullptr;
  return std::make_unique<S3Fixture>();
}

}  // namespace spanway::query
