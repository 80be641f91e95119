// The store that the configuration names, with the client that it needs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/memory_budget.h"
#include "services/lib/clickhouse/client.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/objectstore/s3_client.h"
#include "services/lib/runtime/service.h"
#include "services/query/config.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Thread-safe once it is created. Everything that create() is given outlives it.
class ConfiguredStore {
 public:
  // Reads TLS files, and loads Arrow for S3. Sends the store no request. `report` gets the
  // results of reading TLS files again, and errors of reading the password again.
  static Result<std::unique_ptr<ConfiguredStore>> create(const QueryConfig& config,
                                                         const runtime::ServiceDeps& deps,
                                                         MemoryBudget& budget,
                                                         http::TlsReloader::Report report);
  ~ConfiguredStore();

  TraceStore& traces() noexcept { return *traces_; }
  // Null when another store is configured.
  MemoryTraceStore* memory() noexcept { return memory_; }
  // As /statusz shows them.
  const std::string& type() const noexcept { return type_; }
  const std::string& endpoint() const noexcept { return endpoint_; }

 private:
  ConfiguredStore() = default;
  Status use_clickhouse(const ClickHouseStoreConfig& config, const runtime::ServiceDeps& deps,
                        http::TlsReloader::Report report);
  Status use_s3(const S3StoreConfig& config, const runtime::ServiceDeps& deps, MemoryBudget& budget,
                http::TlsReloader::Report report);
  void use_memory(const MemoryStoreConfig& config);

  std::string type_;
  std::string endpoint_;
  std::unique_ptr<clickhouse::Client> clickhouse_;
  std::shared_ptr<objectstore::S3Client> s3_;
  std::unique_ptr<TraceStore> traces_;
  MemoryTraceStore* memory_ = nullptr;
  std::optional<http::TlsReloader> tls_;  // Empty without TLS.
};

}  // namespace spanway::query
