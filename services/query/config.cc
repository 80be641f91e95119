#include "services/query/config.h"

#include <utility>

#include "services/lib/config/endpoint.h"
#include "services/lib/config/memory_limit.h"

namespace spanway::query {
namespace {

using config::Binder;
using config::Problems;

constexpr double kSecond = 1000.0;
constexpr double kMebi = 1024.0 * 1024.0;
constexpr double kTera = 1e12;

}  // namespace

// Not in the unnamed namespace: the binder finds them next to their types.
static void describe(Binder& b, ApiConfig& c) {
  describe_listener(b, c);
  b.key("port", c.port, {.doc = "Port of the HTTP APIs; 0 takes a free one."});
  b.key("jaeger_grpc_port", c.jaeger_grpc_port,
        {.doc = "Port of Jaeger's gRPC API v3, with the host, the TLS and the limits of the HTTP "
                "APIs; 0 takes a free one."});
  describe_connection_limits(b, c.connections);
}

static void describe(Binder& b, ClickHouseStoreConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "URL of the server's HTTP interface.", .example = "http://clickhouse:8123"});
  b.key("database", c.database,
        {.doc = "Database of the tables.", .pattern = "[A-Za-z_][A-Za-z0-9_]{0,63}"});
  b.key("username", c.username,
        {.doc = "User that may SELECT; empty = the server's default. With readonly=1 its profile "
                "needs the limits changeable_in_readonly (services/lib/clickhouse/README.md)."});
  b.key("password", c.password,
        {.doc = "Its password: refer to the environment or to a file; ${file:path} is read again "
                "every 5 s.",
         .example = "\"${env:CLICKHOUSE_PASSWORD}\"",
         .reread = true});
  b.section("tls", c.tls, "TLS, for https:// URLs.");
  b.key("connections", c.connections,
        {.doc = "Most connections to the server.", .min = 1, .max = 256});
}

static void describe(Binder& b, S3StoreConfig& c) {
  sinks::describe_bucket(b, c);
  b.key("cache_bytes", c.cache_bytes,
        {.doc = "Memory for the ends of files and for resources, of all queries together.",
         .min = kMebi,
         .max = kTera});
}

static void describe(Binder& b, MemoryStoreConfig& c) {
  b.key("bytes", c.bytes,
        {.doc = "Memory for telemetry, in equal parts for the signals that are read from it; the "
                "oldest is dropped.",
         .min = kMebi,
         .max = kTera});
  b.key(
      "grpc_port", c.grpc_port,
      {.doc = "Port of OTLP/gRPC, where telemetry comes in, with the host and the TLS of `api`; 0 "
              "takes a free one."});
  b.key("trust_metadata", c.trust_metadata,
        {.doc = "Take over the tenant from the sender. Only behind mTLS or a network policy."});
}

static void describe(Binder& b, StoresConfig& c) {
  b.section("clickhouse", c.clickhouse, "The ClickHouse that a clickhouse destination writes to.");
  b.section("s3", c.s3, "The bucket that an s3 destination writes to.");
  b.section("memory", c.memory,
            "The memory of this process: no database, and nothing outlives the process. An "
            "otlp_grpc destination writes to it.");
}

static void describe(Binder& b, PromqlConfig& c) {
  b.key("lookback", c.lookback,
        {.doc = "Age of a sample that an instant still has as its value.",
         .min = kSecond,
         .max = 86'400 * kSecond});
  b.key("experimental", c.experimental,
        {.doc = "Syntax and functions behind feature flags in Prometheus: duration expressions, "
                "anchored, smoothed, fill, limitk, info and others."});
  b.key("span_metrics", c.span_metrics,
        {.doc = "Metrics traces_spanmetrics_calls_total and traces_spanmetrics_latency out of the "
                "spans in ClickHouse or memory, unless a client sends them."});
}

static void describe(Binder& b, LimitsConfig& c) {
  b.key("query_time", c.query_time,
        {.doc = "Longest time of one query, the client's reading included.",
         .min = 100,
         .max = 600 * kSecond});
  b.key("client_wait", c.client_wait,
        {.doc = "Longest wait for a client that does not read its answer, which is cut then.",
         .min = 100,
         .max = 600 * kSecond});
  b.key("rows_read", c.rows_read,
        {.doc = "Rows that the store may read for one statement.", .min = 1, .max = kTera});
  b.key("bytes_read", c.bytes_read,
        {.doc = "Bytes that the store may read for one statement.", .min = 1, .max = 1000 * kTera});
  b.key("store_memory", c.store_memory,
        {.doc = "Memory that the store may use for one statement.", .min = kMebi, .max = kTera});
  b.key("query_memory", c.query_memory,
        {.doc = "Memory that one query may hold in this process.", .min = kMebi, .max = kTera});
  b.key("spans_per_trace", c.spans_per_trace,
        {.doc = "Spans of one answer; a larger trace is refused.", .min = 1, .max = kTera});
  b.key("running", c.running,
        {.doc = "Queries that run at once, each on a thread.", .min = 1, .max = 256});
  b.key("queued", c.queued,
        {.doc = "Queries that wait for a thread; more are refused with 429.",
         .min = 0,
         .max = 10'000});
}

static void describe(Binder& b, PipelineConfig& c) {
  b.key("services", c.services,
        {.doc = "Services of Spanway whose /statusz the page and /api/v1/pipeline show: a name of "
                "your choice, and the URL of the admin port. At most 32; one process each. Every "
                "client of the APIs sees their state, without names of tenants.",
         .example = "{ingress: \"http://ingress:8080\", bridge: \"http://bridge:8080\"}"});
}

void describe(Binder& b, QueryConfig& c) {
  b.section("api", c.api, "Where the APIs are served.");
  b.section("stores", c.stores, "Where telemetry is read from.");
  b.key("traces_from", c.traces_from, {"clickhouse", "s3", "memory"}, {.doc = "Store of traces."});
  for (const auto& [name, key] :
       {std::pair("logs_from", &c.logs_from), std::pair("metrics_from", &c.metrics_from)})
    b.key(name, *key, {"traces_from", "clickhouse", "memory"},
          {.doc = "Store of that signal; traces_from = the same as of traces, and none where that "
                  "is s3: its APIs answer 501."});
  b.section("promql", c.promql, "The language of Prometheus's API.");
  b.section("insight", c.insight, "Edges between services, and what is wrong with them.");
  b.section("limits", c.limits,
            "Bounds of queries. Passing one is an error, never a part of an answer.");
  b.section("pipeline", c.pipeline, "The pipeline that brings the telemetry, for the page.");
  b.section("auth", c.auth, "Authentication of clients.");
  b.section("tenant", c.tenant, "Tenant whose telemetry a client reads.");
  config::describe_memory_limit(b, c.memory_limit);
}

std::optional<StoreType> store_of(const QueryConfig& c, SignalStore signal) noexcept {
  if (signal == SignalStore::kClickHouse) return StoreType::kClickHouse;
  if (signal == SignalStore::kMemory) return StoreType::kMemory;
  if (c.traces_from == StoreType::kS3) return std::nullopt;
  return c.traces_from;
}

bool has_insight(const QueryConfig& c) noexcept {
  return c.insight.enabled && (c.traces_from != StoreType::kS3 || !c.insight.tenants.empty());
}

std::size_t signals_in_memory(const QueryConfig& c) noexcept {
  std::size_t signals = c.traces_from == StoreType::kMemory ? 1 : 0;
  for (const SignalStore signal : {c.logs_from, c.metrics_from})
    signals += store_of(c, signal) == StoreType::kMemory ? 1 : 0;
  return signals;
}

std::uint64_t budget_bytes(const QueryConfig& c) noexcept {
  return config::request_budget(c.memory_limit,
                                signals_in_memory(c) > 0 ? c.stores.memory.bytes.bytes : 0);
}

static void validate(const ClickHouseStoreConfig& store, Problems& problems) {
  if (std::string problem = config::base_url_problem(store.endpoint); !problem.empty())
    problems.add("stores.clickhouse.endpoint", std::move(problem));
  spanway::validate(store.tls, "stores.clickhouse.tls", problems);
  if (store.database.empty()) problems.add("stores.clickhouse.database", "must name a database");
  if (store.username.empty() && !store.password.empty())
    problems.add("stores.clickhouse.password", "needs a username");
}

static void validate(const PipelineConfig& pipeline, Problems& problems) {
  if (pipeline.services.size() > PipelineConfig::kServicesMax)
    problems.add("pipeline.services", "has more than 32 services; name those that matter");
  for (const auto& [name, url] : pipeline.services) {
    config::UrlParts parts;
    std::string problem = config::parse_url(url, parts);
    if (problem.empty() && parts.https)
      problem = "must begin with http://: admin ports have no TLS";
    if (problem.empty() && parts.path != "/") problem = "must end after the port";
    if (!problem.empty()) problems.add("pipeline.services." + name, std::move(problem));
  }
}

void validate(const QueryConfig& c, Problems& problems) {
  validate(c.api.tls, "api.tls", problems);
  validate(c.api.connections, "api", problems);
  validate(c.pipeline, problems);
  auth::validate(c.auth, problems);
  auth::validate(c.tenant, c.auth, !c.api.tls.client_ca_file.empty(), problems);
  if (c.traces_from == StoreType::kClickHouse ||
      store_of(c, c.logs_from) == StoreType::kClickHouse ||
      store_of(c, c.metrics_from) == StoreType::kClickHouse)
    validate(c.stores.clickhouse, problems);
  if (c.traces_from == StoreType::kS3) sinks::validate(c.stores.s3, "stores.s3", problems);
  validate(c.insight, problems);
  if (c.limits.query_memory.bytes > budget_bytes(c))
    problems.add(
        "limits.query_memory",
        "is too large: memory_limit leaves " + config::mebibytes(budget_bytes(c)) + " for queries" +
            (signals_in_memory(c) > 0 ? " besides stores.memory.bytes. Lower one of the two"
                                      : ". Lower it") +
            " or raise memory_limit");
}

}  // namespace spanway::query
