#include "services/kafka-bridge/events.h"

#include <utility>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka_bridge {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kReceivedBytes{
    "spanway_kafka_bridge_received_bytes_total", MetricKind::kCounter,
    "Bytes of OTLP requests taken in to be written to Kafka.", "signal"};
constexpr MetricSpec kWrittenItems{"spanway_kafka_bridge_written_items_total", MetricKind::kCounter,
                                   "Spans, data points or log records that Kafka has confirmed.",
                                   "signal"};
constexpr MetricSpec kWrittenRecords{"spanway_kafka_bridge_written_records_total",
                                     MetricKind::kCounter, "Kafka records confirmed.", "signal"};
constexpr MetricSpec kDuplicates{
    "spanway_kafka_bridge_possible_duplicate_items_total", MetricKind::kCounter,
    "Items that were written although the client received an error and will send them again.",
    "signal"};
constexpr MetricSpec kRejected{
    "spanway_kafka_bridge_rejected_items_total", MetricKind::kCounter,
    "Items rejected one by one, reported to the client by partial_success.", "reason,signal"};
constexpr MetricSpec kRefused{"spanway_kafka_bridge_refused_requests_total", MetricKind::kCounter,
                              "Whole requests refused, by reason.", "reason"};
constexpr MetricSpec kWriteLatency{
    "spanway_kafka_bridge_write_duration_seconds", MetricKind::kHistogram,
    "From a request to Kafka's confirmation of all its records.", "signal"};
constexpr MetricSpec kMemoryUsed{"spanway_kafka_bridge_memory_used_bytes", MetricKind::kGauge,
                                 "Bytes of requests and batches held now."};
constexpr MetricSpec kMemoryLimit{
    "spanway_kafka_bridge_memory_limit_bytes", MetricKind::kGauge,
    "Bytes that requests and batches may hold: their share of memory_limit."};

constexpr MetricSpec kConsumedRecords{"spanway_kafka_bridge_consumed_records_total",
                                      MetricKind::kCounter, "Records read from Kafka.", "signal"};
constexpr MetricSpec kConsumedBytes{"spanway_kafka_bridge_consumed_bytes_total",
                                    MetricKind::kCounter, "Bytes of records read from Kafka.",
                                    "signal"};
constexpr MetricSpec kConsumedItems{
    "spanway_kafka_bridge_consumed_items_total", MetricKind::kCounter,
    "Spans, data points or log records in the records read. Each is delivered, rejected by the "
    "destination, dead-lettered, released or in flight.",
    "signal"};
constexpr MetricSpec kDeadLetterItems{
    "spanway_kafka_bridge_dead_letter_items_total", MetricKind::kCounter,
    "Items written to the dead-letter topics; copies of partly accepted batches and records that "
    "are no OTLP not counted.",
    "signal"};
constexpr MetricSpec kReleasedItems{
    "spanway_kafka_bridge_released_items_total", MetricKind::kCounter,
    "Items read and not settled by this process: they are read again later, by it or another "
    "member of the group, or had been settled before.",
    "signal"};
constexpr MetricSpec kInFlightItems{"spanway_kafka_bridge_in_flight_items", MetricKind::kGauge,
                                    "Items read and not settled yet; at most a second old.",
                                    "signal"};
constexpr MetricSpec kDeliveredItems{"spanway_kafka_bridge_delivered_items_total",
                                     MetricKind::kCounter, "Items that the destination has taken.",
                                     "signal"};
constexpr MetricSpec kDeliveredBytes{"spanway_kafka_bridge_delivered_bytes_total",
                                     MetricKind::kCounter,
                                     "Bytes of batches that the destination has taken.", "signal"};
constexpr MetricSpec kDeliverLatency{"spanway_kafka_bridge_deliver_duration_seconds",
                                     MetricKind::kHistogram,
                                     "From sending a batch to the destination's answer.", "signal"};
constexpr MetricSpec kSinceProduced{
    "spanway_kafka_bridge_produce_to_deliver_seconds", MetricKind::kHistogram,
    "From a record's timestamp in Kafka to the destination's yes.", "signal"};
constexpr MetricSpec kRefusals{"spanway_kafka_bridge_refusals_total", MetricKind::kCounter,
                               "Batches that the destination refused, by kind of refusal.",
                               "kind,signal"};
constexpr MetricSpec kDestinationRejected{
    "spanway_kafka_bridge_destination_rejected_items_total", MetricKind::kCounter,
    "Items that the destination refused inside batches that it took (partial_success).", "signal"};
constexpr MetricSpec kRetries{"spanway_kafka_bridge_retries_total", MetricKind::kCounter,
                              "Batches sent again, by the kind of refusal before.", "kind"};
constexpr MetricSpec kHalved{"spanway_kafka_bridge_halved_batches_total", MetricKind::kCounter,
                             "Batches halved to find the items that the destination refuses."};
constexpr MetricSpec kDeadLetters{"spanway_kafka_bridge_dead_letters_total", MetricKind::kCounter,
                                  "Records written to the dead-letter topics.", "cause,signal"};
constexpr MetricSpec kDeadLetterFailures{
    "spanway_kafka_bridge_dead_letter_failures_total", MetricKind::kCounter,
    "Dead letters that could not be written; they are tried again and nothing is committed."};
constexpr MetricSpec kDeadLetterParts{
    "spanway_kafka_bridge_dead_letter_parts_total", MetricKind::kCounter,
    "Records that hold a part of a dead letter which is larger than its topic takes.", "signal"};
constexpr MetricSpec kDeadLetterFallbacks{
    "spanway_kafka_bridge_dead_letter_fallbacks_total", MetricKind::kCounter,
    "Dead letters that were given to consumer.dead_letters.fallback because their topic does not "
    "take them.",
    "signal"};
constexpr MetricSpec kStalled{"spanway_kafka_bridge_stalled_partitions", MetricKind::kGauge,
                              "Partitions of which nothing can be delivered."};
constexpr MetricSpec kStalledStreams{
    "spanway_kafka_bridge_stalled_streams", MetricKind::kGauge,
    "Tenants of a signal that the destination refuses: only probes are sent, nothing is lost.",
    "signal"};
constexpr MetricSpec kStalls{"spanway_kafka_bridge_stalls_total", MetricKind::kCounter,
                             "Times that a tenant of a signal began to stall.", "signal"};
constexpr MetricSpec kLost{"spanway_kafka_bridge_lost_records_total", MetricKind::kCounter,
                           "Records that Kafka deleted before they were read."};
constexpr MetricSpec kTruncated{
    "spanway_kafka_bridge_truncated_records_total", MetricKind::kCounter,
    "Records that the log lost after they were read (unclean leader election, a lost disk)."};
constexpr MetricSpec kResets{"spanway_kafka_bridge_offset_resets_total", MetricKind::kCounter,
                             "Times that a committed offset no longer existed."};
constexpr MetricSpec kNoMemory{
    "spanway_kafka_bridge_reads_held_total", MetricKind::kCounter,
    "Times that a partition was not read because the memory budget was used "
    "up."};
constexpr MetricSpec kCommits{"spanway_kafka_bridge_commits_total", MetricKind::kCounter,
                              "Offset commits that succeeded."};
constexpr MetricSpec kLagMessages{"spanway_kafka_bridge_lag_messages", MetricKind::kGauge,
                                  "Records between the committed offset and the end.",
                                  "partition,topic"};
constexpr MetricSpec kLagSeconds{"spanway_kafka_bridge_lag_seconds", MetricKind::kGauge,
                                 "Age of the oldest record that is read and not delivered.",
                                 "partition,topic"};
constexpr MetricSpec kInFlightBatches{"spanway_kafka_bridge_in_flight_batches", MetricKind::kGauge,
                                      "Batches sent and not answered, or waiting for a retry."};
constexpr MetricSpec kInFlightBytes{"spanway_kafka_bridge_in_flight_bytes", MetricKind::kGauge,
                                    "Bytes of these and of batches being filled."};

constexpr std::array kMetrics = {kReceivedBytes,
                                 kWrittenItems,
                                 kWrittenRecords,
                                 kDuplicates,
                                 kRejected,
                                 kRefused,
                                 kWriteLatency,
                                 kMemoryUsed,
                                 kMemoryLimit,
                                 kConsumedRecords,
                                 kConsumedBytes,
                                 kConsumedItems,
                                 kDeadLetterItems,
                                 kReleasedItems,
                                 kInFlightItems,
                                 kDeliveredItems,
                                 kDeliveredBytes,
                                 kDeliverLatency,
                                 kSinceProduced,
                                 kRefusals,
                                 kDestinationRejected,
                                 kRetries,
                                 kHalved,
                                 kDeadLetters,
                                 kDeadLetterFailures,
                                 kDeadLetterParts,
                                 kDeadLetterFallbacks,
                                 kStalled,
                                 kStalledStreams,
                                 kStalls,
                                 kLost,
                                 kTruncated,
                                 kResets,
                                 kNoMemory,
                                 kCommits,
                                 kLagMessages,
                                 kLagSeconds,
                                 kInFlightBatches,
                                 kInFlightBytes};

// Reasons to refuse a request besides Kafka's own.
constexpr std::array kRefusedReasons = {"deadline_exceeded",     "no_memory",
                                        "all_items_rejected",    "joined_items_rejected",
                                        "malformed_request",     "request_too_large",
                                        "too_many_submessages",  "stopping",
                                        "kafka_backlog",         "kafka_partition_stalled",
                                        "kafka_compacted_topic", "kafka_unverified_topic"};

constexpr std::array kRefusalKinds = {Refusal::kTransient, Refusal::kData, Refusal::kConfiguration,
                                      Refusal::kUnknown};

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

std::size_t at(Refusal kind) { return static_cast<std::size_t>(kind); }

template <typename Handles, typename Make>
void for_signals(Handles& handles, Make make) {
  for (const otlp::Signal signal : otlp::kSignals) {
    handles[otlp::index_of(signal)] = make(std::string(otlp::to_string(signal)));
  }
}

}  // namespace

std::span<const MetricSpec> metric_specs() { return kMetrics; }

std::string_view to_string(DeadLetterCause cause) noexcept {
  constexpr std::array<std::string_view, kDeadLetterCauseCount> names = {
      "refused", "unknown", "undecodable", "invalid_items", "partial"};
  return names[static_cast<std::size_t>(cause)];
}

ProduceEvents::ProduceEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      memory_used_(telemetry.metrics.gauge(kMemoryUsed)),
      memory_limit_(telemetry.metrics.gauge(kMemoryLimit)) {
  telemetry::Metrics& m = telemetry.metrics;
  for_signals(bytes_, [&](const auto& s) { return m.counter(kReceivedBytes, {{"signal", s}}); });
  for_signals(items_, [&](const auto& s) { return m.counter(kWrittenItems, {{"signal", s}}); });
  for_signals(records_, [&](const auto& s) { return m.counter(kWrittenRecords, {{"signal", s}}); });
  for_signals(duplicates_, [&](const auto& s) { return m.counter(kDuplicates, {{"signal", s}}); });
  for_signals(latency_, [&](const auto& s) { return m.histogram(kWriteLatency, {{"signal", s}}); });
  for (const otlp::Signal signal : otlp::kSignals) {
    for (std::size_t reason = 1; reason < otlp::kRejectReasonCount; ++reason) {
      const auto name = otlp::to_string(static_cast<otlp::RejectReason>(reason));
      rejected_[otlp::index_of(signal)][reason] = m.counter(
          kRejected,
          {{"signal", std::string(otlp::to_string(signal))}, {"reason", std::string(name)}});
    }
  }
  for (const char* reason : kRefusedReasons) {
    refused_[reason] = m.counter(kRefused, {{"reason", reason}});
  }
  for (const char* reason : kafka::error_reasons()) {
    refused_[reason] = m.counter(kRefused, {{"reason", reason}});
  }
  refused_otherwise_ = m.counter(kRefused, {{"reason", "other"}});
}

void ProduceEvents::received(otlp::Signal signal, std::uint64_t bytes) const noexcept {
  bytes_[otlp::index_of(signal)].add(static_cast<double>(bytes));
}

void ProduceEvents::rejected(const otlp::Index& index) const noexcept {
  const auto& counters = rejected_[otlp::index_of(index.signal)];
  for (std::size_t reason = 1; reason < otlp::kRejectReasonCount; ++reason) {
    counters[reason].add(static_cast<double>(index.rejected_by_reason[reason]));
  }
}

void ProduceEvents::written(otlp::Signal signal, std::uint64_t items, std::size_t records,
                            Duration took) const noexcept {
  const std::size_t i = otlp::index_of(signal);
  items_[i].add(static_cast<double>(items));
  records_[i].add(static_cast<double>(records));
  latency_[i].observe(seconds(took));
}

void ProduceEvents::refused(const Error& error) const {
  const auto found = refused_.find(error.reason);
  (found == refused_.end() ? refused_otherwise_ : found->second).add();
  log_.limited(LogLevel::kWarn, "kafka_bridge_refused", "Request refused",
               {{"reason", error.reason}, {"error", error.message}});
}

void ProduceEvents::possible_duplicates(otlp::Signal signal, std::uint64_t items) const noexcept {
  duplicates_[otlp::index_of(signal)].add(static_cast<double>(items));
}

void ProduceEvents::memory(std::size_t used, std::size_t limit) const noexcept {
  memory_used_.set(static_cast<double>(used));
  memory_limit_.set(static_cast<double>(limit));
}

DeadLetterEvents::DeadLetterEvents(telemetry::Telemetry telemetry, std::string destination)
    : log_(telemetry.log), destination_(std::move(destination)) {
  telemetry::Metrics& m = telemetry.metrics;
  for_signals(parts_, [&](const auto& s) { return m.counter(kDeadLetterParts, {{"signal", s}}); });
  for_signals(fallbacks_, [&](const auto& s) {
    return m.counter(kDeadLetterFallbacks, {{"signal", s}});
  });
}

void DeadLetterEvents::fell_back(otlp::Signal signal, std::string_view origin,
                                 const std::string& why) {
  fallbacks_[otlp::index_of(signal)].add();
  log_.limited(LogLevel::kError, "kafka_bridge_dead_letter_fallback",
               "Dead letter goes to consumer.dead_letters.fallback",
               {{"destination", destination_}, {"origin", origin}, {"why", why}});
}

ConsumeEvents::ConsumeEvents(telemetry::Telemetry telemetry, std::string destination)
    : log_(telemetry.log), metrics_(telemetry.metrics), destination_(std::move(destination)) {
  telemetry::Metrics& m = metrics_;
  for_signals(records_, [&](const auto& s) {
    return m.counter(kConsumedRecords, {{"signal", s}});
  });
  for_signals(bytes_, [&](const auto& s) { return m.counter(kConsumedBytes, {{"signal", s}}); });
  for_signals(items_, [&](const auto& s) { return m.counter(kDeliveredItems, {{"signal", s}}); });
  for_signals(delivered_bytes_, [&](const auto& s) {
    return m.counter(kDeliveredBytes, {{"signal", s}});
  });
  for_signals(rejected_, [&](const auto& s) {
    return m.counter(kDestinationRejected, {{"signal", s}});
  });
  for_signals(latency_, [&](const auto& s) {
    return m.histogram(kDeliverLatency, {{"signal", s}});
  });
  for_signals(since_produced_, [&](const auto& s) {
    return m.histogram(kSinceProduced, {{"signal", s}},
                       {0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
                        300, 1800, 3600});
  });
  for_signals(refused_, [&](const auto& s) {
    std::array<telemetry::Counter, 4> kinds;
    for (const Refusal kind : kRefusalKinds) {
      kinds[at(kind)] =
          m.counter(kRefusals, {{"signal", s}, {"kind", std::string(to_string(kind))}});
    }
    return kinds;
  });
  for_signals(dead_letters_, [&](const auto& s) {
    std::array<telemetry::Counter, kDeadLetterCauseCount> causes;
    for (std::size_t cause = 0; cause < kDeadLetterCauseCount; ++cause) {
      const auto name = to_string(static_cast<DeadLetterCause>(cause));
      causes[cause] = m.counter(kDeadLetters, {{"signal", s}, {"cause", std::string(name)}});
    }
    return causes;
  });
  for (const Refusal kind : kRefusalKinds) {
    retries_[at(kind)] = m.counter(kRetries, {{"kind", std::string(to_string(kind))}});
  }
  for_signals(stalls_, [&](const auto& s) { return m.counter(kStalls, {{"signal", s}}); });
  for_signals(stalled_streams_, [&](const auto& s) {
    return m.gauge(kStalledStreams, {{"signal", s}});
  });
  for_signals(consumed_items_, [&](const auto& s) {
    return m.counter(kConsumedItems, {{"signal", s}});
  });
  for_signals(dead_letter_items_, [&](const auto& s) {
    return m.counter(kDeadLetterItems, {{"signal", s}});
  });
  for_signals(released_items_, [&](const auto& s) {
    return m.counter(kReleasedItems, {{"signal", s}});
  });
  for_signals(in_flight_items_, [&](const auto& s) {
    return m.gauge(kInFlightItems, {{"signal", s}});
  });
  halved_ = m.counter(kHalved);
  dead_letter_failures_ = m.counter(kDeadLetterFailures);
  lost_ = m.counter(kLost);
  truncated_ = m.counter(kTruncated);
  resets_ = m.counter(kResets);
  no_memory_ = m.counter(kNoMemory);
  commits_ = m.counter(kCommits);
  stalled_ = m.gauge(kStalled);
  in_flight_batches_ = m.gauge(kInFlightBatches);
  in_flight_bytes_ = m.gauge(kInFlightBytes);
}

void ConsumeEvents::consumed(otlp::Signal signal, std::size_t bytes, std::uint64_t items) noexcept {
  const std::size_t i = otlp::index_of(signal);
  records_[i].add();
  bytes_[i].add(static_cast<double>(bytes));
  consumed_items_[i].add(static_cast<double>(items));
  totals_[i].read += items;
}

void ConsumeEvents::released(otlp::Signal signal, std::uint64_t items) noexcept {
  const std::size_t i = otlp::index_of(signal);
  released_items_[i].add(static_cast<double>(items));
  totals_[i].released += items;
}

void ConsumeEvents::items_in_flight(otlp::Signal signal, std::uint64_t items) noexcept {
  in_flight_items_[otlp::index_of(signal)].set(static_cast<double>(items));
}

void ConsumeEvents::delivered(otlp::Signal signal, std::uint64_t items, std::size_t bytes,
                              Duration took, double seconds_since_produced) noexcept {
  const std::size_t i = otlp::index_of(signal);
  items_[i].add(static_cast<double>(items));
  totals_[i].delivered += items;
  delivered_bytes_[i].add(static_cast<double>(bytes));
  latency_[i].observe(seconds(took));
  if (seconds_since_produced >= 0) since_produced_[i].observe(seconds_since_produced);
}

void ConsumeEvents::refused(otlp::Signal signal, const Error& error) {
  refused_[otlp::index_of(signal)][at(error.refusal)].add();
  log_.limited(LogLevel::kWarn, "kafka_bridge_batch_refused", "Destination refuses a batch",
               {{"destination", destination_},
                {"kind", to_string(error.refusal)},
                {"code", to_string(error.code)},
                {"error", error.message}});
}

void ConsumeEvents::rejected(otlp::Signal signal, std::uint64_t items, const std::string& message) {
  rejected_[otlp::index_of(signal)].add(static_cast<double>(items));
  totals_[otlp::index_of(signal)].rejected += items;
  log_.limited(LogLevel::kWarn, "kafka_bridge_items_rejected",
               "Destination refuses some items of a batch",
               {{"destination", destination_}, {"items", items}, {"message", message}});
}

void ConsumeEvents::retried(Refusal kind) noexcept { retries_[at(kind)].add(); }

void ConsumeEvents::dead_lettered(otlp::Signal signal, DeadLetterCause cause,
                                  std::string_view origin, const std::string& error,
                                  std::uint64_t items) {
  const std::size_t i = otlp::index_of(signal);
  dead_letters_[i][static_cast<std::size_t>(cause)].add();
  dead_letter_items_[i].add(static_cast<double>(items));
  totals_[i].dead_lettered += items;
  log_.limited(LogLevel::kWarn, "kafka_bridge_dead_letter", "Dead letter written",
               {{"destination", destination_},
                {"cause", to_string(cause)},
                {"origin", origin},
                {"error", error}});
}

void ConsumeEvents::dead_letter_failed(const Error& error) {
  dead_letter_failures_.add();
  log_.limited(LogLevel::kError, "kafka_bridge_dead_letter_failed",
               "Dead letter cannot be written: nothing is committed until it is",
               {{"destination", destination_}, {"reason", error.reason}, {"error", error.message}});
}

void ConsumeEvents::stalled(otlp::Signal signal, std::string_view tenant, const Error& error) {
  stalls_[otlp::index_of(signal)].add();
  log_.limited(LogLevel::kError, "kafka_bridge_stalled",
               "Destination refuses everything of a signal and tenant; it stalls until a probe "
               "passes",
               {{"destination", destination_},
                {"signal", otlp::to_string(signal)},
                {"tenant", tenant},
                {"code", to_string(error.code)},
                {"error", error.message}});
}

void ConsumeEvents::resumed(otlp::Signal signal, std::string_view tenant, Duration after) {
  log_.limited(LogLevel::kInfo, "kafka_bridge_resumed", "Stall has ended",
               {{"destination", destination_},
                {"signal", otlp::to_string(signal)},
                {"tenant", tenant},
                {"stalled_seconds", seconds(after)}});
}

void ConsumeEvents::stalled_streams(otlp::Signal signal, std::size_t count) noexcept {
  stalled_streams_[otlp::index_of(signal)].set(static_cast<double>(count));
}

void ConsumeEvents::stalled_partitions(std::size_t count) noexcept {
  stalled_.set(static_cast<double>(count));
}

void ConsumeEvents::lost(std::string_view topic, std::int32_t partition, std::int64_t expected,
                         std::int64_t continued_at, std::uint64_t records) {
  resets_.add();
  const bool truncated = continued_at < expected;
  (truncated ? truncated_ : lost_).add(static_cast<double>(records));
  const char* text =
      "Records were deleted by Kafka before they were read: by retention.bytes, by a request, or "
      "by "
      "retention.ms, which counts from the producers' clocks unless message.timestamp.type is "
      "LogAppendTime";
  if (truncated) {
    text = records > 0 ? "The log has lost records that had been read: reading resumes where it "
                         "diverged. An unclean leader election or a lost disk does this"
                       : "The topic was deleted and created again: it is read from its beginning";
  }
  log_.error(text, {{"destination", destination_},
                    {"topic", topic},
                    {"partition", partition},
                    {"expected_offset", expected},
                    {"continued_at", continued_at},
                    {"lost", records}});
}

void ConsumeEvents::lag(const std::string& topic, std::int32_t partition, std::int64_t messages,
                        double lag_seconds) {
  const telemetry::Labels labels = {{"topic", topic}, {"partition", std::to_string(partition)}};
  metrics_.gauge(kLagMessages, labels).set(static_cast<double>(messages));
  metrics_.gauge(kLagSeconds, labels).set(lag_seconds);
}

void ConsumeEvents::forget_lag(const std::string& topic, std::int32_t partition) {
  const telemetry::Labels labels = {{"topic", topic}, {"partition", std::to_string(partition)}};
  metrics_.remove_gauge(kLagMessages, labels);
  metrics_.remove_gauge(kLagSeconds, labels);
}

void ConsumeEvents::in_flight(std::size_t batches, std::size_t bytes) noexcept {
  in_flight_batches_.set(static_cast<double>(batches));
  in_flight_bytes_.set(static_cast<double>(bytes));
}

}  // namespace spanway::kafka_bridge
