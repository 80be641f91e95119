#include "services/query/events.h"

#include <array>

#include "services/lib/http/events.h"
#include "services/lib/rpc/events.h"

namespace spanway::query {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kDuration = {"otel_query_duration_seconds", MetricKind::kHistogram,
                                  "From a query's admission to the end of its answer.", "api"};
constexpr MetricSpec kQueries = {"spanway_query_requests_total", MetricKind::kCounter,
                                 "Queries by the HTTP status of their answer; 499 = the client had "
                                 "gone.",
                                 "api,status"};
constexpr MetricSpec kRows = {"spanway_query_read_rows_total", MetricKind::kCounter,
                              "Rows that the store has read for queries, as far as it has said.",
                              ""};
constexpr MetricSpec kBytes = {"spanway_query_read_bytes_total", MetricKind::kCounter,
                               "Bytes that the store has read for queries, as far as it has said.",
                               ""};
constexpr MetricSpec kRunning = {"spanway_query_running_requests", MetricKind::kGauge,
                                 "Queries that run now.", ""};
constexpr MetricSpec kQueued = {"spanway_query_queued_requests", MetricKind::kGauge,
                                "Queries that wait for a thread.", ""};
constexpr MetricSpec kMemoryUsed = {"spanway_query_memory_used_bytes", MetricKind::kGauge,
                                    "Bytes held by permits for queries and connections.", ""};
constexpr MetricSpec kMemoryLimit = {"spanway_query_memory_limit_bytes", MetricKind::kGauge,
                                     "The memory budget.", ""};
constexpr std::array kSpecs = {kDuration, kQueries, kRows,       kBytes,
                               kRunning,  kQueued,  kMemoryUsed, kMemoryLimit};

constexpr std::array kApis = {Api::kSpans, Api::kHealth, Api::kTraceV1, Api::kTraceV3};
constexpr int kClientClosedRequest = 499;
constexpr std::array kStatuses = {200, 400, 401, 403, 404, 413, 429, kClientClosedRequest,
                                  500, 503};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

std::vector<MetricSpec> all_metric_specs() {
  std::vector<MetricSpec> all(kSpecs.begin(), kSpecs.end());
  for (const auto specs : {http::metric_specs(), rpc::metric_specs()})
    all.insert(all.end(), specs.begin(), specs.end());
  return all;
}

std::string_view to_string(Api api) noexcept {
  switch (api) {
    case Api::kSpans:
      return "spans";
    case Api::kHealth:
      return "health";
    case Api::kTraceV1:
      return "jaeger_v1_trace";
    case Api::kTraceV3:
      return "jaeger_v3_trace";
  }
  return "";
}

Events::Events(telemetry::Telemetry telemetry) : log_(telemetry.log) {
  telemetry::Metrics& metrics = telemetry.metrics;
  for (const Api api : kApis) {
    PerApi& own = apis_.emplace_back();
    telemetry::Labels labels = {{"api", std::string(to_string(api))}};
    own.duration = metrics.histogram(kDuration, labels);
    for (const int status : kStatuses) {
      labels["status"] = std::to_string(status);
      own.by_status[status] = metrics.counter(kQueries, labels);
    }
  }
  rows_read_ = metrics.counter(kRows);
  bytes_read_ = metrics.counter(kBytes);
  running_gauge_ = metrics.gauge(kRunning);
  queued_ = metrics.gauge(kQueued);
  memory_used_ = metrics.gauge(kMemoryUsed);
  memory_limit_ = metrics.gauge(kMemoryLimit);
}

void Events::started() noexcept {
  ++running_;
  running_gauge_.add(1);
}

void Events::ended(Api api, int http_status, Duration took, const Cost& cost,
                   const Status& result) {
  --running_;
  running_gauge_.add(-1);
  PerApi& own = apis_[static_cast<std::size_t>(api)];
  own.duration.observe(std::chrono::duration<double>(took).count());
  if (const auto counter = own.by_status.find(http_status); counter != own.by_status.end())
    counter->second.add();
  rows_read_.add(static_cast<double>(cost.rows_read));
  bytes_read_.add(static_cast<double>(cost.bytes_read));
  if (result.ok()) {
    ++answered_;
    return;
  }
  if (http_status == kClientClosedRequest) {
    ++cancelled_;
    return;
  }
  ++failed_;
  if (http_status < 500) return;
  const bool loud = result.error().refusal == Refusal::kConfiguration;
  log_.limited(loud ? LogLevel::kError : LogLevel::kWarn, "query.failed", "A query failed",
               {{"api", to_string(api)},
                {"status", http_status},
                {"reason", result.error().reason},
                {"error", result.error().message}});
}

void Events::refused(Api api, int http_status) {
  ++refused_;
  PerApi& own = apis_[static_cast<std::size_t>(api)];
  if (const auto counter = own.by_status.find(http_status); counter != own.by_status.end())
    counter->second.add();
}

void Events::waiting(std::size_t queued) const noexcept {
  queued_.set(static_cast<double>(queued));
}

void Events::memory(std::size_t used, std::size_t limit) const noexcept {
  memory_used_.set(static_cast<double>(used));
  memory_limit_.set(static_cast<double>(limit));
}

void Events::reload_failed(const Error& error) const {
  log_.limited(LogLevel::kError, "query.reload",
               "Credentials or TLS files cannot be re-read; the old ones stay in use",
               {{"error", error.message}});
}

}  // namespace spanway::query
