// Metrics and logs of the Kafka clients.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

std::span<const telemetry::MetricSpec> metric_specs();

// Each event of a producer as one call. Thread-safe. Debug lines cost a comparison when off.
class ProducerEvents {
 public:
  explicit ProducerEvents(telemetry::Telemetry telemetry);
  void delivered(std::size_t bytes, Duration latency);
  void failed(const Error& error);
  void queued(std::size_t total_bytes) { queue_bytes_.set(static_cast<double>(total_bytes)); }
  void rebuilt(const std::string& cause);
  void client_error(const Error& error);
  void reachable(bool is_reachable);
  // This host's clock minus the brokers'.
  void clock_compared(Duration difference);
  // Admission (produce_admission.h).
  void request_refused(std::string_view topic, std::size_t records, const Error& error);
  void probing(std::string_view topic, std::span<const std::int32_t> partitions,
               std::size_t records_kept);
  void probed(std::string_view topic, std::size_t records_kept, const Error* failure);
  void throttled(Duration by);
  void partitions_changed(std::string_view topic, std::int32_t partitions, const char* error);
  // Password and TLS files were read again: true when they have changed; an error = the ones of
  // before stay in use.
  void credentials_read(const Result<bool>& changed);

 private:
  const telemetry::Logger& log_;
  telemetry::CredentialReporter credentials_;
  telemetry::Counter records_, bytes_, rebuilds_, other_errors_;
  telemetry::Gauge queue_bytes_, reachable_, clock_difference_;
  telemetry::Histogram latency_;
  std::map<std::string_view, telemetry::Counter> errors_;
};

// Each event of a consumer, besides records, as one call. One thread, except the last ones.
class ConsumerEvents {
 public:
  explicit ConsumerEvents(telemetry::Telemetry telemetry);
  void assigned(std::size_t count, std::size_t total);
  void revoked(std::size_t count, std::size_t total);
  void lost(std::size_t count, std::size_t total);
  // `deleted_topics`: of the lost partitions; empty = the session was lost.
  void loss_explained(std::size_t count, const std::string& deleted_topics);
  void commit_failed(const Error& error);
  void client_error(const Error& error);
  // Debug lines; each costs a comparison when off. Those of assignments, revocations and commits
  // are the listener's.
  void position_jumped(const TopicPartition& partition, std::int64_t expected, std::int64_t found);
  void seek_finished(const TopicPartition& partition, std::int64_t offset,
                     std::int32_t leader_epoch);
  void fetch_size_changed(std::uint64_t before, std::uint64_t now, double ratio);
  // As that of ProducerEvents. Thread-safe.
  void credentials_read(const Result<bool>& changed);

 private:
  const telemetry::Logger& log_;
  telemetry::CredentialReporter credentials_;
  telemetry::Counter rebalances_, lost_, commit_failures_;
  telemetry::Gauge partitions_;
};

}  // namespace spanway::kafka
