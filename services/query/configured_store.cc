#include "services/query/configured_store.h"

#include <utility>

#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/codec_loader.h"
#include "services/lib/sinks/s3/factory.h"
#include "services/query/store/clickhouse/clickhouse_trace_store.h"
#include "services/query/store/s3/s3_trace_store.h"

namespace spanway::query {
namespace {

// The columns of one row group that are fetched at once; the query's memory covers them.
constexpr std::size_t kS3AnswerBytesMax = 64u << 20;
// A client waits for the answer: fewer tries than a writer has.
constexpr int kS3Attempts = 3;

}  // namespace

ConfiguredStore::~ConfiguredStore() = default;

Result<std::unique_ptr<ConfiguredStore>> ConfiguredStore::create(const QueryConfig& config,
                                                                 const runtime::ServiceDeps& deps,
                                                                 MemoryBudget& budget,
                                                                 http::TlsReloader::Report report) {
  std::unique_ptr<ConfiguredStore> store(new ConfiguredStore());
  switch (config.traces_from) {
    case StoreType::kClickHouse:
      SPANWAY_TRY(store->use_clickhouse(config.stores.clickhouse, deps, std::move(report)));
      break;
    case StoreType::kS3:
      SPANWAY_TRY(store->use_s3(config.stores.s3, deps, budget, std::move(report)));
      break;
    case StoreType::kMemory:
      store->use_memory(config.stores.memory);
      break;
  }
  return store;
}

Status ConfiguredStore::use_clickhouse(const ClickHouseStoreConfig& config,
                                       const runtime::ServiceDeps& deps,
                                       http::TlsReloader::Report report) {
  std::shared_ptr<http::TlsClientContext> tls;
  if (config.endpoint.starts_with("https://")) {
    auto created = http::TlsClientContext::create(config.tls);
    if (!created.ok()) return std::move(created).error().with_context("stores.clickhouse");
    tls = std::move(created).value();
    tls_.emplace([tls] { return tls->reload(); }, report, deps.io.executor(0),
                 http::kClientTlsReloadInterval);
  }
  clickhouse::ClientOptions options;
  options.url = config.endpoint;
  options.database = config.database;
  options.username = config.username;
  options.password = config.password;
  options.connections_max = static_cast<std::size_t>(config.connections);
  options.on_unusable_secret = [report = std::move(report)](const Error& error) { report(error); };
  SPANWAY_ASSIGN(clickhouse_,
                 clickhouse::Client::create(std::move(options), tls, deps.io, deps.clock));
  traces_ = std::make_unique<ClickHouseTraceStore>(*clickhouse_);
  type_ = "clickhouse";
  endpoint_ = clickhouse_->endpoint();
  return {};
}

Status ConfiguredStore::use_s3(const S3StoreConfig& config, const runtime::ServiceDeps& deps,
                               MemoryBudget& budget, http::TlsReloader::Report report) {
  SPANWAY_ASSIGN(const parquet_file::Codec* codec, parquet_file::load_codec());
  auto client = sinks::create_s3_client(config, kS3AnswerBytesMax, deps.io, deps.clock);
  if (!client.ok()) return std::move(client).error().with_context("stores.s3");
  s3_ = std::move(client).value();
  if (config.endpoint.empty() || config.endpoint.starts_with("https://"))
    tls_.emplace([client = s3_] { return client->reload_tls(); }, std::move(report),
                 deps.io.executor(0), http::kClientTlsReloadInterval);
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

void ConfiguredStore::use_memory(const MemoryStoreConfig& config) {
  auto store = std::make_unique<MemoryTraceStore>(
      MemoryTraceStoreOptions{.bytes_max = static_cast<std::size_t>(config.bytes.bytes)});
  memory_ = store.get();
  traces_ = std::move(store);
  type_ = "memory";
}

}  // namespace spanway::query
