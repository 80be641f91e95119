// The stores that the configuration names, with the clients that they need.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/objectstore/s3_client.h"
#include "services/lib/runtime/service.h"
#include "services/query/config.h"
#include "services/query/memory_sink.h"
#include "services/query/store/insight_store.h"
#include "services/query/store/log_store.h"
#include "services/query/store/metric_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Thread-safe once it is created. Everything that create() is given outlives it.
class ConfiguredStore {
 public:
  // TLS files or the password were read again: an error = the ones of before stay in use. OK ends
  // an error of the same key.
  using Report = std::function<void(const std::string& key, const Status& read)>;
  // Reads TLS files, and loads Arrow for S3. Sends the store no request.
  static Result<std::unique_ptr<ConfiguredStore>> create(const QueryConfig& config,
                                                         const runtime::ServiceDeps& deps,
                                                         MemoryBudget& budget, Report report);
  ~ConfiguredStore();

  TraceStore& traces() noexcept { return *traces_; }
  // Those of a signal without a store answer UNIMPLEMENTED.
  LogStore& logs() noexcept { return *logs_; }
  MetricStore& metrics() noexcept { return span_metrics_ ? *span_metrics_ : *metrics_; }
  // Where results of the insight are written; null where they are kept in this process.
  InsightStore* insight() noexcept { return insight_.get(); }
  // The tenants with spans in the range, at most `limit`; none where the store cannot list them.
  Result<std::vector<std::string>> tenants(TimeRange range, std::size_t limit,
                                           QueryContext& context);
  // The stores of signals that are kept in memory.
  const MemoryStores& memory() const noexcept { return memory_; }
  // The store of traces, as /statusz shows it.
  const std::string& type() const noexcept { return type_; }
  const std::string& endpoint() const noexcept { return endpoint_; }

 private:
  ConfiguredStore() = default;
  Status use_clickhouse(const QueryConfig& config, const runtime::ServiceDeps& deps, Report report);
  Status use_s3(const S3StoreConfig& config, const runtime::ServiceDeps& deps, MemoryBudget& budget,
                Report report);
  Status create_clickhouse_clients(const QueryConfig& config, const runtime::ServiceDeps& deps,
                                   Report report);
  void use_memory(const QueryConfig& config);

  std::string type_;
  std::string endpoint_;
  std::unique_ptr<clickhouse::Client> clickhouse_;
  std::unique_ptr<clickhouse::Client> insight_writer_;  // Null: the one above writes as well.
  std::shared_ptr<objectstore::S3Client> s3_;
  std::unique_ptr<TraceStore> traces_;
  std::unique_ptr<LogStore> logs_;
  std::unique_ptr<MetricStore> metrics_;
  std::unique_ptr<MetricStore> span_metrics_;  // Over the other two, if there is one.
  std::unique_ptr<InsightStore> insight_;
  MemoryStores memory_;
  // Empty without TLS.
  std::optional<http::TlsReloader> clickhouse_tls_;
  std::optional<http::TlsReloader> s3_tls_;
  std::optional<telemetry::CredentialRefresher> refresher_;
  std::optional<telemetry::CredentialRefresher> insight_refresher_;
};

}  // namespace spanway::query
