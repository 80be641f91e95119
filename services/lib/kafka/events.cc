#include "services/lib/kafka/events.h"

#include <array>
#include <string>

#include "services/lib/kafka/clock_watch.h"
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
               "1 while the producer reaches at least one broker."},
    MetricSpec{"spanway_kafka_assigned_partitions", MetricKind::kGauge,
               "Partitions assigned to this process."},
    MetricSpec{"spanway_kafka_rebalances_total", MetricKind::kCounter,
               "Changes of this process's partitions."},
    MetricSpec{"spanway_kafka_partitions_lost_total", MetricKind::kCounter,
               "Partitions that were taken away without asking (session lost, topic deleted)."},
    MetricSpec{"spanway_kafka_commit_failures_total", MetricKind::kCounter,
               "Offset commits that failed; they are repeated."},
    MetricSpec{"spanway_kafka_clock_difference_seconds", MetricKind::kGauge,
               "This host's clock minus the brokers', at least; 0 while it may be the time that a "
               "request took. Known of topics with message.timestamp.type=LogAppendTime."},
};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kMetrics; }

ProducerEvents::ProducerEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      credentials_(telemetry.credentials),
      records_(telemetry.metrics.counter(kMetrics[0])),
      bytes_(telemetry.metrics.counter(kMetrics[1])),
      rebuilds_(telemetry.metrics.counter(kMetrics[5])),
      queue_bytes_(telemetry.metrics.gauge(kMetrics[3])),
      reachable_(telemetry.metrics.gauge(kMetrics[6])),
      clock_difference_(telemetry.metrics.gauge(kMetrics[11])),
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
      "Producer is rebuilt after a fatal error; unconfirmed records are "
      "refused as retryable",
      {{"cause", cause}});
}

void ProducerEvents::client_error(const Error& error) {
  const bool refused = error.refusal == Refusal::kConfiguration;
  log_.limited(refused ? LogLevel::kError : LogLevel::kWarn,
               refused ? "kafka_producer_refused" : "kafka_producer_error",
               "Producer reports an error", {{"reason", error.reason}, {"error", error.message}});
}

void ProducerEvents::reachable(bool is_reachable) { reachable_.set(is_reachable ? 1 : 0); }

void ProducerEvents::clock_compared(Duration difference) {
  clock_difference_.set(std::chrono::duration<double>(difference).count());
  const std::string text = describe_clock_difference(difference);
  if (text.empty()) return;
  log_.limited(LogLevel::kWarn, "kafka_clock", "Clocks differ", {{"error", text}});
}

void ProducerEvents::request_refused(std::string_view topic, std::size_t records,
                                     const Error& error) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.limited(
      LogLevel::kDebug, "kafka_request_refused", "Request refused before its first record",
      {{"topic", topic}, {"records", records}, {"reason", error.reason}, {"error", error.message}});
}

void ProducerEvents::probing(std::string_view topic, std::span<const std::int32_t> partitions,
                             std::size_t records_kept) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  std::string list;
  for (const std::int32_t partition : partitions) {
    list += (list.empty() ? "" : ",") + std::to_string(partition);
  }
  log_.debug("Request probes partitions that failed; its other records wait",
             {{"topic", topic}, {"partitions", list}, {"waiting_records", records_kept}});
}

void ProducerEvents::probed(std::string_view topic, std::size_t records_kept,
                            const Error* failure) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.debug(failure == nullptr ? "Probe confirmed; the waiting records are produced"
                                : "Probe failed; the waiting records are refused",
             {{"topic", topic},
              {"waiting_records", records_kept},
              {"error", failure == nullptr ? "" : failure->message}});
}

void ProducerEvents::throttled(Duration by) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.limited(LogLevel::kDebug, "kafka_throttled", "Broker throttles the producer (quota)",
               {{"seconds", std::chrono::duration<double>(by).count()}});
}

void ProducerEvents::partitions_changed(std::string_view topic, std::int32_t partitions,
                                        const char* error) {
  log_.debug("Topic described", {{"topic", topic}, {"partitions", partitions}, {"error", error}});
}

void ProducerEvents::credentials_read(const Result<bool>& changed) {
  credentials_.report("kafka", changed.ok() ? ok_status() : Status(changed.error()));
  if (!changed.ok()) return client_error(changed.error());
  if (*changed)
    log_.info("Credentials read again; new connections use them", {{"client", "producer"}});
}

ConsumerEvents::ConsumerEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      credentials_(telemetry.credentials),
      rebalances_(telemetry.metrics.counter(kMetrics[8])),
      lost_(telemetry.metrics.counter(kMetrics[9])),
      commit_failures_(telemetry.metrics.counter(kMetrics[10])),
      partitions_(telemetry.metrics.gauge(kMetrics[7])) {}

void ConsumerEvents::assigned(std::size_t count, std::size_t total) {
  rebalances_.add();
  partitions_.set(static_cast<double>(total));
  log_.info("Partitions assigned", {{"count", count}, {"total", total}});
}

void ConsumerEvents::revoked(std::size_t count, std::size_t total) {
  rebalances_.add();
  partitions_.set(static_cast<double>(total));
  log_.info("Partitions revoked", {{"count", count}, {"total", total}});
}

void ConsumerEvents::lost(std::size_t count, std::size_t total) {
  rebalances_.add();
  partitions_.set(static_cast<double>(total));
  lost_.add(static_cast<double>(count));
}

void ConsumerEvents::loss_explained(std::size_t count, const std::string& deleted_topics) {
  if (deleted_topics.empty()) {
    log_.warn("Partitions lost: the group reassigned them after the session timed out",
              {{"count", count}});
  } else {
    log_.warn("Partitions lost: their topic was deleted",
              {{"count", count}, {"topics", deleted_topics}});
  }
}

void ConsumerEvents::commit_failed(const Error& error) {
  commit_failures_.add();
  log_.limited(LogLevel::kWarn, "kafka_commit_failed", "Offset commit failed; it is retried",
               {{"reason", error.reason}, {"error", error.message}});
}

void ConsumerEvents::client_error(const Error& error) {
  // A limit of its own: of the many lines about brokers that are down none may take its place.
  const bool refused = error.refusal == Refusal::kConfiguration;
  log_.limited(error.refusal == Refusal::kTransient ? LogLevel::kWarn : LogLevel::kError,
               refused ? "kafka_consumer_refused" : "kafka_consumer_error",
               "Consumer reports an error", {{"reason", error.reason}, {"error", error.message}});
}

void ConsumerEvents::position_jumped(const TopicPartition& partition, std::int64_t expected,
                                     std::int64_t found) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.debug("Log no longer has the next offset", {{"topic", partition.topic},
                                                   {"partition", partition.partition},
                                                   {"expected", expected},
                                                   {"resumed_at", found}});
}

void ConsumerEvents::seek_finished(const TopicPartition& partition, std::int64_t offset,
                                   std::int32_t leader_epoch) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.debug("Fetch position set", {{"topic", partition.topic},
                                    {"partition", partition.partition},
                                    {"offset", offset},
                                    {"leader_epoch", leader_epoch}});
}

void ConsumerEvents::fetch_size_changed(std::uint64_t before, std::uint64_t now, double ratio) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  log_.limited(LogLevel::kDebug, "kafka_fetch_size", "Fetch size changed",
               {{"bytes_before", before}, {"bytes", now}, {"compression_ratio", ratio}});
}

void ConsumerEvents::credentials_read(const Result<bool>& changed) {
  credentials_.report("kafka", changed.ok() ? ok_status() : Status(changed.error()));
  if (!changed.ok()) return client_error(changed.error());
  if (*changed)
    log_.info("Credentials read again; new connections use them", {{"client", "consumer"}});
}

}  // namespace spanway::kafka
