#include "services/lib/sinks/s3/events.h"

#include <array>
#include <utility>

#include "services/lib/http/tls_reloader.h"
#include "services/lib/objectstore/object_key.h"

namespace spanway::sinks {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kObjects = {"spanway_sink_s3_stored_objects_total", MetricKind::kCounter,
                                 "Objects that the server has stored; those that overwrite an "
                                 "equal one included.",
                                 "endpoint,table"};
constexpr MetricSpec kRows = {"spanway_sink_s3_stored_rows_total", MetricKind::kCounter,
                              "Spans, log records, data points and exemplars in these objects.",
                              "endpoint,table"};
constexpr MetricSpec kBytes = {"spanway_sink_s3_stored_bytes_total", MetricKind::kCounter,
                               "Bytes of these objects.", "endpoint,table"};
constexpr MetricSpec kRefusals = {"spanway_sink_s3_refused_objects_total", MetricKind::kCounter,
                                  "Objects that were not stored.", "endpoint,table"};
constexpr MetricSpec kDuration = {"spanway_sink_s3_put_duration_seconds", MetricKind::kHistogram,
                                  "From sending an object to the server's answer, all its parts "
                                  "included.",
                                  "endpoint,table"};
constexpr std::array kSpecs = {kObjects, kRows, kBytes, kRefusals, kDuration};

}  // namespace

std::span<const MetricSpec> s3_metric_specs() { return kSpecs; }

S3Events::S3Events(telemetry::Telemetry telemetry, std::string endpoint)
    : log_(telemetry.log), credentials_(telemetry.credentials), endpoint_(std::move(endpoint)) {
  for (const objectstore::StoredTable stored : objectstore::kStoredTables) {
    const std::string table(to_string(stored));
    const telemetry::Labels labels = {{"endpoint", endpoint_}, {"table", table}};
    tables_[table] = {.objects = telemetry.metrics.counter(kObjects, labels),
                      .rows = telemetry.metrics.counter(kRows, labels),
                      .bytes = telemetry.metrics.counter(kBytes, labels),
                      .refusals = telemetry.metrics.counter(kRefusals, labels),
                      .duration = telemetry.metrics.histogram(kDuration, labels)};
  }
}

void S3Events::stored(std::string_view table, std::size_t rows, std::size_t bytes,
                      double seconds) const {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return;
  found->second.objects.add();
  found->second.rows.add(static_cast<double>(rows));
  found->second.bytes.add(static_cast<double>(bytes));
  found->second.duration.observe(seconds);
}

void S3Events::refused(std::string_view table, const Error& error) const {
  if (const auto found = tables_.find(table); found != tables_.end()) found->second.refusals.add();
  const bool is_full = error.reason == std::string_view("s3_full");
  log_.limited(is_full ? LogLevel::kError : LogLevel::kDebug, "s3.refused",
               is_full ? "The S3 server is full: nothing is stored until it has space"
                       : "The S3 server did not store an object",
               {{"endpoint", endpoint_}, {"table", table}, {"error", error.message}});
}

void S3Events::tls_read(const Result<bool>& read) const {
  credentials_.report("tls", read.ok() ? ok_status() : Status(read.error()));
  http::log_tls_reload(log_, "s3.tls_reload", {"endpoint", endpoint_}, read);
}

}  // namespace spanway::sinks
