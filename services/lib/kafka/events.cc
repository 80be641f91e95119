#include "services/lib/kafka/events.h"

#include <array>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr std::array kMetrics = {
    MetricSpec{"spanway_kafka_produced_records_total", MetricKind::kCounter,
               "Records that the brokers have confirmed (acks=all)."},
    MetricSpec{"spanway_kafka_produced_bytes_total", MetricKind::kCounter,
               "Payload bytes of confirmed records."},
    MetricSpec{"spanway_kafka_produce_errors_total", MetricKind::kCounter,
               "Records that were not confirmed, by reason.", "reason"},
    MetricSpec{"spanway_kafka_produce_queue_bytes", MetricKind::kGauge,
               "Payload bytes handed over and not yet reported."},
    MetricSpec{"spanway_kafka_produce_latency_seconds", MetricKind::kHistogram,
               "From handing a record over to the brokers' confirmation."},
    MetricSpec{"spanway_kafka_producer_rebuilds_total", MetricKind::kCounter,
               "Producers replaced after a fatal error of idempotence."},
    MetricSpec{"spanway_kafka_reachable", MetricKind::kGauge,
               "1 while at least one broker is up, as the producer sees it."},
    MetricSpec{"spanway_kafka_assigned_partitions", MetricKind::kGauge,
               "Partitions this process holds."},
    MetricSpec{"spanway_kafka_rebalances_total", MetricKind::kCounter,
               "Changes of this process's partitions."},
    MetricSpec{"spanway_kafka_partitions_lost_total", MetricKind::kCounter,
               "Partitions that were taken away without asking (session lost)."},
    MetricSpec{"spanway_kafka_commit_failures_total", MetricKind::kCounter,
               "Offset commits that failed; they are repeated."},
};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kMetrics; }

ProducerEvents::ProducerEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      records_(telemetry.metrics.counter(kMetrics[0])),
      bytes_(telemetry.metrics.counter(kMetrics[1])),
      rebuilds_(telemetry.metrics.counter(kMetrics[5])),
      queue_bytes_(telemetry.metrics.gauge(kMetrics[3])),
      reachable_(telemetry.metrics.gauge(kMetrics[6])),
      latency_(telemetry.metrics.histogram(kMetrics[4])) {
  for (const char* reason : error_reasons()) {
    errors_[reason] = telemetry.metrics.counter(kMetrics[2], {{"reason", reason}});
  }
  other_errors_ = errors_["kafka_other"];
}

void ProducerEvents::delivered(std::size_t bytes, Duration latency) {
  records_.add();
  bytes_.add(static_cast<double>(bytes));
  latency_.observe(std::chrono::duration<double>(latency).count());
}

void ProducerEvents::failed(const Error& error) {
  const auto found = errors_.find(error.reason);
  (found == errors_.end() ? other_errors_ : found->second).add();
  log_.limited(error.refusal == Refusal::kTransient ? LogLevel::kWarn : LogLevel::kError,
               "kafka_produce_failed", "Record not written to Kafka",
               {{"reason", error.reason}, {"error", error.message}});
}

void ProducerEvents::rebuilt(const std::string& cause) {
  rebuilds_.add();
  log_.error(
      "Producer is rebuilt after a fatal error; records without report are refused as "
      "retryable",
      {{"cause", cause}});
}

void ProducerEvents::client_error(const Error& error) {
  const bool refused = error.refusal == Refusal::kConfiguration;
  log_.limited(refused ? LogLevel::kError : LogLevel::kWarn,
               refused ? "kafka_producer_refused" : "kafka_producer_error",
               "Producer reports an error", {{"reason", error.reason}, {"error", error.message}});
}

void ProducerEvents::reachable(bool is_reachable) { reachable_.set(is_reachable ? 1 : 0); }

ConsumerEvents::ConsumerEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      rebalances_(telemetry.metrics.counter(kMetrics[8])),
      lost_(telemetry.metrics.counter(kMetrics[9])),
      commit_failures_(telemetry.metrics.counter(kMetrics[10])),
      partitions_(telemetry.metrics.gauge(kMetrics[7])) {}

void ConsumerEvents::assigned(std::size_t count, std::size_t total) {
  rebalances_.add();
  partitions_.set(static_cast<double>(total));
  log_.info("Partitions assigned", {{"count", count}, {"total", total}});
}

void ConsumerEvents::revoked(std::size_t count, std::size_t total, bool lost) {
  rebalances_.add();
  partitions_.set(static_cast<double>(total));
  if (lost) lost_.add(static_cast<double>(count));
  log_.log(
      lost ? LogLevel::kWarn : LogLevel::kInfo,
      lost ? "Partitions lost: the group gave them to others without asking" : "Partitions revoked",
      {{"count", count}, {"total", total}});
}

void ConsumerEvents::commit_failed(const Error& error) {
  commit_failures_.add();
  log_.limited(LogLevel::kWarn, "kafka_commit_failed", "Offset commit failed; it is repeated",
               {{"reason", error.reason}, {"error", error.message}});
}

void ConsumerEvents::client_error(const Error& error) {
  // A limit of its own: of the many lines about brokers that are down none may take its place.
  const bool refused = error.refusal == Refusal::kConfiguration;
  log_.limited(error.refusal == Refusal::kTransient ? LogLevel::kWarn : LogLevel::kError,
               refused ? "kafka_consumer_refused" : "kafka_consumer_error",
               "Consumer reports an error", {{"reason", error.reason}, {"error", error.message}});
}

}  // namespace spanway::kafka
