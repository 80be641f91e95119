// Metrics and log events of the ClickHouse sink.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

std::span<const telemetry::MetricSpec> clickhouse_metric_specs();

// Thread-safe; outlived by the registry and the log.
class ClickHouseEvents {
 public:
  ClickHouseEvents(telemetry::Telemetry telemetry, std::string endpoint);
  // `newest`: Unix seconds of the newest row, where rows have a time.
  void inserted(std::string_view table, std::size_t rows, std::size_t bytes, double seconds,
                std::optional<double> newest) const;
  void refused(std::string_view table, const Error& error) const;
  void schema_accepted() const;
  void schema_refused(const Error& error) const;
  // The TLS files, or the secret of `key`, were read again; an error = the old ones stay in use.
  void tls_read(const Result<bool>& read) const;
  void secret_read(const std::string& key, const Status& read) const;

 private:
  struct OfTable {
    telemetry::Counter rows, bytes, refusals;
    telemetry::Histogram duration;
  };
  const telemetry::Logger& log_;
  telemetry::Metrics& metrics_;
  const telemetry::CredentialReporter credentials_;
  const std::string endpoint_;
  const telemetry::Gauge schema_fits_;
  std::map<std::string, OfTable, std::less<>> tables_;  // Not changed after construction.
};

}  // namespace spanway::sinks
