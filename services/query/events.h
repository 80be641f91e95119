// Metrics and logs of the query service: one table of metrics, and one function per thing that
// happens.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

std::span<const telemetry::MetricSpec> metric_specs();
// That and the tables of all that the service is made of.
std::vector<telemetry::MetricSpec> all_metric_specs();

// Thread-safe. All series exist at zero once the APIs are declared.
class Events {
 public:
  explicit Events(telemetry::Telemetry telemetry);

  // The values of the label `api`. Once, before the first query.
  void declare_apis(std::span<const std::string_view> names);
  void started() noexcept;
  // `http_status` is what the client was sent, or would have been had its answer not begun; 499 for
  // one that has gone away.
  void ended(std::string_view api, int http_status, Duration took, const Cost& cost,
             const Status& result);
  // Refused before it ran: 400, 401, 403, 405, 413 and 429.
  void refused(std::string_view api, int http_status);
  void waiting(std::size_t queued) const noexcept;
  void memory(std::size_t used, std::size_t limit) const noexcept;
  // The credentials or TLS files of `key` were read again; an error = the old ones stay in use.
  void credentials_read(const std::string& key, const Status& read) const;
  void reload_failed(const Error& error) const;

  std::uint64_t answered() const noexcept { return answered_; }
  std::uint64_t failed() const noexcept { return failed_; }
  std::uint64_t refused() const noexcept { return refused_; }
  std::uint64_t cancelled() const noexcept { return cancelled_; }
  std::size_t running() const noexcept { return running_; }

 private:
  struct PerApi {
    telemetry::Histogram duration;
    std::map<int, telemetry::Counter> by_status;
  };
  void count(PerApi& api, int http_status);
  telemetry::Metrics& metrics_;
  const telemetry::Logger& log_;
  const telemetry::CredentialReporter credentials_;
  std::map<std::string, PerApi, std::less<>> apis_;
  telemetry::Counter rows_read_, bytes_read_;
  telemetry::Gauge running_gauge_, queued_, memory_used_, memory_limit_;
  std::atomic<std::uint64_t> answered_{0}, failed_{0}, refused_{0}, cancelled_{0};
  std::atomic<std::size_t> running_{0};
};

}  // namespace spanway::query
