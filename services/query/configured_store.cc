#include "services/query/configured_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/codec_loader.h"
#include "services/lib/sinks/s3/factory.h"
#include "services/query/store/absent_stores.h"
#include "services/query/store/clickhouse/clickhouse_insight_store.h"
#include "services/query/store/clickhouse/clickhouse_log_store.h"
#include "services/query/store/clickhouse/clickhouse_metric_store.h"
#include "services/query/store/clickhouse/clickhouse_trace_store.h"
#include "services/query/store/s3/s3_trace_store.h"
#include "services/query/store/span_metrics/span_metric_store.h"

namespace spanway::query {
namespace {

// The columns of one row group that are fetched at once; the query's memory covers them.
constexpr std::size_t kS3AnswerBytesMax = 64u << 20;
// A client waits for the answer: fewer tries than a writer has.
constexpr int kS3Attempts = 3;

http::TlsReloader::Report tls_report(const char* key, ConfiguredStore::Report report) {
  return [key, report = std::move(report)](const Result<bool>& read) {
    report(key, read.ok() ? ok_status() : Status(read.error()));
  };
}

}  // namespace

ConfiguredStore::~ConfiguredStore() = default;

Result<std::unique_ptr<ConfiguredStore>> ConfiguredStore::create(const QueryConfig& config,
                                                                 const runtime::ServiceDeps& deps,
                                                                 MemoryBudget& budget,
                                                                 Report report) {
  std::unique_ptr<ConfiguredStore> store(new ConfiguredStore());
  SPANWAY_TRY(store->use_clickhouse(config, deps, report));
  if (config.traces_from == StoreType::kS3)
    SPANWAY_TRY(store->use_s3(config.stores.s3, deps, budget, std::move(report)));
  store->use_memory(config);
  if (!store->logs_) store->logs_ = std::make_unique<AbsentLogStore>();
  // S3 would read all spans for their figures.
  if (store->metrics_ && config.promql.span_metrics && config.traces_from != StoreType::kS3)
    store->span_metrics_ =
        std::make_unique<SpanMetricStore>(*store->metrics_, *store->traces_, deps.clock);
  if (!store->metrics_) store->metrics_ = std::make_unique<AbsentMetricStore>();
  return store;
}

Status ConfiguredStore::create_clickhouse_clients(const QueryConfig& config,
                                                  const runtime::ServiceDeps& deps, Report report) {
  const ClickHouseStoreConfig& own = config.stores.clickhouse;
  std::shared_ptr<http::TlsClientContext> tls;
  if (own.endpoint.starts_with("https://")) {
    auto created = http::TlsClientContext::create(own.tls);
    if (!created.ok()) return std::move(created).error().with_context("stores.clickhouse");
    tls = std::move(created).value();
    clickhouse_tls_.emplace([tls] { return tls->reload(); },
                            tls_report("stores.clickhouse.tls", report), deps.io.executor(0),
                            http::kClientTlsReloadInterval);
  }
  const auto create = [&](const std::string& username, const Secret& password,
                          const std::string& section) {
    clickhouse::ClientOptions options;
    options.url = own.endpoint;
    options.database = own.database;
    options.username = username;
    options.password = password;
    options.connections_max = static_cast<std::size_t>(own.connections);
    options.report_secret = [report, section](const std::string& key, const Status& read) {
      report(section + "." + key, read);
    };
    return clickhouse::Client::create(std::move(options), tls, deps.io, deps.clock);
  };
  SPANWAY_ASSIGN(clickhouse_, create(own.username, own.password, "stores.clickhouse"));
  refresher_.emplace(deps.telemetry.credentials,
                     [client = clickhouse_.get()] { client->refresh_password(); });
  if (!has_insight(config) || config.insight.username.empty()) return {};
  SPANWAY_ASSIGN(insight_writer_,
                 create(config.insight.username, config.insight.password, "insight"));
  insight_refresher_.emplace(deps.telemetry.credentials,
                             [client = insight_writer_.get()] { client->refresh_password(); });
  return {};
}

Status ConfiguredStore::use_clickhouse(const QueryConfig& config, const runtime::ServiceDeps& deps,
                                       Report report) {
  const bool has_traces = config.traces_from == StoreType::kClickHouse;
  const bool has_logs = store_of(config, config.logs_from) == StoreType::kClickHouse;
  const bool has_metrics = store_of(config, config.metrics_from) == StoreType::kClickHouse;
  if (!has_traces && !has_logs && !has_metrics) return {};
  SPANWAY_TRY(create_clickhouse_clients(config, deps, std::move(report)));
  if (has_logs) logs_ = std::make_unique<ClickHouseLogStore>(*clickhouse_);
  if (has_metrics) metrics_ = std::make_unique<ClickHouseMetricStore>(*clickhouse_);
  if (!has_traces) return {};
  traces_ = std::make_unique<ClickHouseTraceStore>(*clickhouse_);
  if (has_insight(config))
    insight_ = std::make_unique<ClickHouseInsightStore>(
        *clickhouse_, insight_writer_ ? *insight_writer_ : *clickhouse_);
  type_ = "clickhouse";
  endpoint_ = clickhouse_->endpoint();
  return {};
}

Status ConfiguredStore::use_s3(const S3StoreConfig& config, const runtime::ServiceDeps& deps,
                               MemoryBudget& budget, Report report) {
  SPANWAY_ASSIGN(const parquet_file::Codec* codec, parquet_file::load_codec());
  auto client = sinks::create_s3_client(config, kS3AnswerBytesMax, deps.io, deps.clock);
  if (!client.ok()) return std::move(client).error().with_context("stores.s3");
  s3_ = std::move(client).value();
  if (config.endpoint.empty() || config.endpoint.starts_with("https://"))
    s3_tls_.emplace([client = s3_] { return client->reload_tls(); },
                    tls_report("stores.s3.tls", std::move(report)), deps.io.executor(0),
                    http::kClientTlsReloadInterval);
  objectstore::S3StoreOptions options;
  options.timeout = config.timeout;
  options.attempts = kS3Attempts;
  const auto open = [client = s3_, options, &io = deps.io, &clock = deps.clock](
                        Deadline deadline, std::stop_token stop) {
    objectstore::S3StoreOptions own = options;
    own.deadline = deadline;
    own.stop = std::move(stop);
    return objectstore::make_s3_store(client, io, clock, std::move(own));
  };
  type_ = "s3";
  endpoint_ = sinks::endpoint_of(static_cast<const sinks::S3Config&>(config));
  S3TraceStoreOptions store;
  store.cache_bytes = static_cast<std::size_t>(config.cache_bytes.bytes);
  traces_ = std::make_unique<S3TraceStore>(
      Bucket{.open = open, .codec = *codec, .prefix = config.prefix, .endpoint = endpoint_}, budget,
      deps.clock, store);
  return {};
}

Result<std::vector<std::string>> ConfiguredStore::tenants(TimeRange range, std::size_t limit,
                                                          QueryContext& context) {
  if (type_ == "clickhouse") return read_tenants(*clickhouse_, range, limit, context);
  if (memory_.traces == nullptr) return std::vector<std::string>();
  const std::set<std::string> names = memory_.traces->tenants();
  std::vector<std::string> tenants(names.begin(), names.end());
  tenants.resize(std::min(tenants.size(), limit));
  return tenants;
}

void ConfiguredStore::use_memory(const QueryConfig& config) {
  const std::size_t signals = signals_in_memory(config);
  if (signals == 0) return;
  const auto bytes = static_cast<std::size_t>(config.stores.memory.bytes.bytes) / signals;
  const auto keep = [](auto& owner, auto*& memory, auto store) {
    memory = store.get();
    owner = std::move(store);
  };
  if (config.traces_from == StoreType::kMemory) {
    keep(traces_, memory_.traces,
         std::make_unique<MemoryTraceStore>(MemoryTraceStoreOptions{.bytes_max = bytes}));
    type_ = "memory";
  }
  if (store_of(config, config.logs_from) == StoreType::kMemory)
    keep(logs_, memory_.logs,
         std::make_unique<MemoryLogStore>(MemoryLogStoreOptions{.bytes_max = bytes}));
  if (store_of(config, config.metrics_from) == StoreType::kMemory)
    keep(metrics_, memory_.metrics,
         std::make_unique<MemoryMetricStore>(MemoryMetricStoreOptions{.bytes_max = bytes}));
}

}  // namespace spanway::query
