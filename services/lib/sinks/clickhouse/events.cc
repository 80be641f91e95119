#include "services/lib/sinks/clickhouse/events.h"

#include <array>
#include <utility>

#include "services/lib/http/tls_reloader.h"

namespace spanway::sinks {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kRows = {"spanway_sink_clickhouse_inserted_rows_total", MetricKind::kCounter,
                              "Rows of acknowledged inserts; repeated ones that the server "
                              "deduplicated included.",
                              "endpoint,table"};
constexpr MetricSpec kBytes = {"spanway_sink_clickhouse_inserted_bytes_total", MetricKind::kCounter,
                               "Bytes of acknowledged inserts, after compression.",
                               "endpoint,table"};
constexpr MetricSpec kRefusals = {"spanway_sink_clickhouse_refused_inserts_total",
                                  MetricKind::kCounter, "Inserts that were not acknowledged.",
                                  "endpoint,table"};
constexpr MetricSpec kDuration = {
    "spanway_sink_clickhouse_insert_duration_seconds", MetricKind::kHistogram,
    "From sending an insert to its acknowledgement.", "endpoint,table"};
// No series before the first insert: an age would count from 1970.
constexpr MetricSpec kNewest = {
    "spanway_sink_clickhouse_newest_row_timestamp_seconds", MetricKind::kGauge,
    "Time of the newest row of the last acknowledged insert, in seconds since the epoch.",
    "endpoint,table"};
constexpr MetricSpec kSchemaFits = {
    "spanway_sink_clickhouse_schema_fits", MetricKind::kGauge,
    "1 while the tables are those of this version; 0 before the first batch, and when "
    "`spanway-exporter migrate` has to run.",
    "endpoint"};
constexpr std::array kSpecs = {kRows, kBytes, kRefusals, kDuration, kNewest, kSchemaFits};
constexpr std::array<const char*, 10> kTables = {
    "resources", "spans",   "logs",       "log_streams", "attribute_keys",
    "series",    "samples", "histograms", "exemplars",   "stored_parts"};

}  // namespace

std::span<const MetricSpec> clickhouse_metric_specs() { return kSpecs; }

ClickHouseEvents::ClickHouseEvents(telemetry::Telemetry telemetry, std::string endpoint)
    : log_(telemetry.log),
      metrics_(telemetry.metrics),
      credentials_(telemetry.credentials),
      endpoint_(std::move(endpoint)),
      schema_fits_(metrics_.gauge(kSchemaFits, {{"endpoint", endpoint_}})) {
  for (const char* table : kTables) {
    const telemetry::Labels labels = {{"endpoint", endpoint_}, {"table", table}};
    tables_[table] = {.rows = telemetry.metrics.counter(kRows, labels),
                      .bytes = telemetry.metrics.counter(kBytes, labels),
                      .refusals = telemetry.metrics.counter(kRefusals, labels),
                      .duration = telemetry.metrics.histogram(kDuration, labels)};
  }
}

void ClickHouseEvents::inserted(std::string_view table, std::size_t rows, std::size_t bytes,
                                double seconds, std::optional<double> newest) const {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return;
  found->second.rows.add(static_cast<double>(rows));
  found->second.bytes.add(static_cast<double>(bytes));
  found->second.duration.observe(seconds);
  if (newest)
    metrics_.gauge(kNewest, {{"endpoint", endpoint_}, {"table", std::string(table)}}).set(*newest);
}

void ClickHouseEvents::refused(std::string_view table, const Error& error) const {
  if (const auto found = tables_.find(table); found != tables_.end()) found->second.refusals.add();
  const bool disk_full = error.reason == std::string_view("clickhouse_disk_full");
  log_.limited(disk_full ? LogLevel::kError : LogLevel::kDebug, "clickhouse.refused",
               disk_full ? "The server's disk is full: nothing is stored until there is space"
                         : "The server refused an insert",
               {{"endpoint", endpoint_}, {"table", table}, {"error", error.message}});
}

void ClickHouseEvents::schema_accepted() const {
  schema_fits_.set(1);
  log_.info("The schema of the database is compatible", {{"endpoint", endpoint_}});
}

void ClickHouseEvents::schema_refused(const Error& error) const {
  schema_fits_.set(0);
  log_.limited(LogLevel::kError, "clickhouse.schema", "The tables of the database do not fit",
               {{"endpoint", endpoint_}, {"error", error.message}});
}

void ClickHouseEvents::secret_read(const std::string& key, const Status& read) const {
  credentials_.report(key, read);
  if (read.ok()) return;
  log_.warn("A file of a secret cannot be used; the secret of before stays in use",
            {{"endpoint", endpoint_}, {"error", read.error().message}});
}

void ClickHouseEvents::tls_read(const Result<bool>& read) const {
  credentials_.report("tls", read.ok() ? ok_status() : Status(read.error()));
  http::log_tls_reload(log_, "clickhouse.tls_reload", {"endpoint", endpoint_}, read);
}

}  // namespace spanway::sinks
