// Metrics of the Kafka clients.
#pragma once

#include <map>
#include <span>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

std::span<const telemetry::MetricSpec> metric_specs();

// What can happen to a producer, each as one call. Thread-safe.
class ProducerEvents {
 public:
  explicit ProducerEvents(telemetry::Telemetry telemetry);
  void delivered(std::size_t bytes, Duration latency);
  void failed(const Error& error);
  void queued(std::size_t total_bytes) { queue_bytes_.set(static_cast<double>(total_bytes)); }
  void rebuilt(const std::string& cause);
  void client_error(const Error& error);
  void reachable(bool is_reachable);

 private:
  const telemetry::Logger& log_;
  telemetry::Counter records_, bytes_, rebuilds_, other_errors_;
  telemetry::Gauge queue_bytes_, reachable_;
  telemetry::Histogram latency_;
  std::map<std::string_view, telemetry::Counter> errors_;
};

// What can happen to a consumer besides reading. One thread.
class ConsumerEvents {
 public:
  explicit ConsumerEvents(telemetry::Telemetry telemetry);
  void assigned(std::size_t count, std::size_t total);
  void revoked(std::size_t count, std::size_t total, bool lost);
  void commit_failed(const Error& error);
  void client_error(const Error& error);

 private:
  const telemetry::Logger& log_;
  telemetry::Counter rebalances_, lost_, commit_failures_;
  telemetry::Gauge partitions_;
};

}  // namespace spanway::kafka
