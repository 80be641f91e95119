#include "services/query/events.h"

#include <array>

#include "services/lib/http/events.h"
#include "services/lib/rpc/events.h"
#include "services/query/insight_job/job_events.h"

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
                              "Rows read for queries, as reported by the store.", ""};
constexpr MetricSpec kBytes = {"spanway_query_read_bytes_total", MetricKind::kCounter,
                               "Bytes read for queries, as reported by the store.", ""};
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

constexpr int kClientClosedRequest = 499;
constexpr std::array kStatuses = {200, 400, 401, 403, 404, 405, 413, 422, 429, kClientClosedRequest,
                                  500, 501, 503};
// Not with this configuration: known from its start, and no failure.
constexpr int kNotImplemented = 501;

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

std::vector<MetricSpec> all_metric_specs() {
  std::vector<MetricSpec> all(kSpecs.begin(), kSpecs.end());
  for (const auto specs : {http::metric_specs(), rpc::metric_specs(), insight_metric_specs()})
    all.insert(all.end(), specs.begin(), specs.end());
  return all;
}

Events::Events(telemetry::Telemetry telemetry)
    : metrics_(telemetry.metrics), log_(telemetry.log), credentials_(telemetry.credentials) {
  rows_read_ = metrics_.counter(kRows);
  bytes_read_ = metrics_.counter(kBytes);
  running_gauge_ = metrics_.gauge(kRunning);
  queued_ = metrics_.gauge(kQueued);
  memory_used_ = metrics_.gauge(kMemoryUsed);
  memory_limit_ = metrics_.gauge(kMemoryLimit);
}

void Events::declare_apis(std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    PerApi& own = apis_[std::string(name)];
    telemetry::Labels labels = {{"api", std::string(name)}};
    own.duration = metrics_.histogram(kDuration, labels);
    for (const int status : kStatuses) {
      labels["status"] = std::to_string(status);
      own.by_status[status] = metrics_.counter(kQueries, labels);
    }
  }
}

void Events::count(PerApi& api, int http_status) {
  if (const auto counter = api.by_status.find(http_status); counter != api.by_status.end())
    counter->second.add();
}

void Events::started() noexcept {
  ++running_;
  running_gauge_.add(1);
}

void Events::ended(std::string_view api, int http_status, Duration took, const Cost& cost,
                   const Status& result) {
  --running_;
  running_gauge_.add(-1);
  if (const auto own = apis_.find(api); own != apis_.end()) {
    own->second.duration.observe(std::chrono::duration<double>(took).count());
    count(own->second, http_status);
  }
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
  if (http_status < 500 || http_status == kNotImplemented) return;
  const bool loud = result.error().refusal == Refusal::kConfiguration;
  log_.limited(loud ? LogLevel::kError : LogLevel::kWarn, "query.failed", "A query failed",
               {{"api", api},
                {"status", http_status},
                {"reason", result.error().reason},
                {"error", result.error().message}});
}

void Events::refused(std::string_view api, int http_status) {
  ++refused_;
  if (const auto own = apis_.find(api); own != apis_.end()) count(own->second, http_status);
}

void Events::waiting(std::size_t queued) const noexcept {
  queued_.set(static_cast<double>(queued));
}

void Events::memory(std::size_t used, std::size_t limit) const noexcept {
  memory_used_.set(static_cast<double>(used));
  memory_limit_.set(static_cast<double>(limit));
}

void Events::credentials_read(const std::string& key, const Status& read) const {
  credentials_.report(key, read);
  if (!read.ok()) reload_failed(read.error());
}

void Events::reload_failed(const Error& error) const {
  log_.limited(LogLevel::kError, "query.reload",
               "Credentials or TLS files cannot be re-read; the old ones stay in use",
               {{"error", error.message}});
}

}  // namespace spanway::query
