// Metrics and log lines of the bridge: one table of metrics, and one function per event.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka_bridge {

std::span<const telemetry::MetricSpec> metric_specs();

inline constexpr std::size_t kSignalCount = 3;

// Mode produce. Thread-safe.
class ProduceEvents {
 public:
  explicit ProduceEvents(telemetry::Telemetry telemetry);

  void received(otlp::Signal signal, std::uint64_t bytes) const noexcept;
  void rejected(const otlp::Index& index) const noexcept;
  void written(otlp::Signal signal, std::uint64_t items, std::size_t records,
               Duration took) const noexcept;
  // The whole request, before or after it was handed to Kafka.
  void refused(const Error& error) const;
  // Written although the client received an error: it will send these again.
  void possible_duplicates(otlp::Signal signal, std::uint64_t items) const noexcept;
  void memory(std::size_t used, std::size_t limit) const noexcept;
  const telemetry::Logger& log() const noexcept { return log_; }

 private:
  using PerSignal = std::array<telemetry::Counter, kSignalCount>;
  const telemetry::Logger& log_;
  PerSignal bytes_, items_, records_, duplicates_;
  std::array<std::array<telemetry::Counter, otlp::kRejectReasonCount>, kSignalCount> rejected_;
  std::array<telemetry::Histogram, kSignalCount> latency_;
  std::map<std::string_view, telemetry::Counter> refused_;
  telemetry::Counter refused_otherwise_;
  telemetry::Gauge memory_used_, memory_limit_;
};

// Why a dead letter was written; the label `cause`.
enum class DeadLetterCause : unsigned char {
  kRefused = 0,   // The destination refuses these bytes for good.
  kUnknown,       // Fails alone, again and again, while other batches are accepted.
  kUndecodable,   // No OTLP: broken framing, or no item in a field that OTLP defines.
  kInvalidItems,  // Some items of a record break OTLP's rules (a foreign producer wrote it).
  kPartial,       // A copy of a batch of which some items were refused.
};
inline constexpr std::size_t kDeadLetterCauseCount = 5;
std::string_view to_string(DeadLetterCause cause) noexcept;

// Metrics of writing dead letters. Used on the executor of KafkaDeadLetters.
class DeadLetterEvents {
 public:
  DeadLetterEvents(telemetry::Telemetry telemetry, std::string destination);

  void wrote_part(otlp::Signal signal) noexcept { parts_[otlp::index_of(signal)].add(); }
  void fell_back(otlp::Signal signal, std::string_view origin, const std::string& why);

 private:
  const telemetry::Logger& log_;
  const std::string destination_;
  std::array<telemetry::Counter, kSignalCount> parts_, fallbacks_;
};

// Where the items of one signal's records went. Units of delivery: spans, data points, log
// records, metrics without data points.
struct ItemTotals {
  std::uint64_t read = 0;
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;  // By the destination, inside batches that it took.
  std::uint64_t dead_lettered = 0;
  std::uint64_t released = 0;
  std::uint64_t in_flight = 0;
  bool add_up() const noexcept {
    return read == delivered + rejected + dead_lettered + released + in_flight;
  }
};

// Mode consume. Used on the consumer's executor only.
class ConsumeEvents {
 public:
  ConsumeEvents(telemetry::Telemetry telemetry, std::string destination);

  void consumed(otlp::Signal signal, std::size_t bytes, std::uint64_t items) noexcept;
  void delivered(otlp::Signal signal, std::uint64_t items, std::size_t bytes, Duration took,
                 double seconds_since_produced) noexcept;
  void refused(otlp::Signal signal, const Error& error);
  void rejected(otlp::Signal signal, std::uint64_t items, const std::string& message);
  void retried(Refusal kind) noexcept;
  void halved() noexcept { halved_.add(); }
  void dead_lettered(otlp::Signal signal, DeadLetterCause cause, std::string_view origin,
                     const std::string& error, std::uint64_t items);
  void dead_letter_failed(const Error& error);
  // Items that were read and are left to the next reading, or were settled before the assignment.
  void released(otlp::Signal signal, std::uint64_t items) noexcept;
  void items_in_flight(otlp::Signal signal, std::uint64_t items) noexcept;
  const ItemTotals& totals(otlp::Signal signal) const noexcept {
    return totals_[otlp::index_of(signal)];
  }
  // A signal and tenant, in all partitions.
  void stalled(otlp::Signal signal, std::string_view tenant, const Error& error);
  void resumed(otlp::Signal signal, std::string_view tenant, Duration after);
  void stalled_streams(otlp::Signal signal, std::size_t count) noexcept;
  void stalled_partitions(std::size_t count) noexcept;
  void lost(std::string_view topic, std::int32_t partition, std::int64_t expected,
            std::int64_t continued_at, std::uint64_t records);
  void no_memory() noexcept { no_memory_.add(); }
  void committed() noexcept { commits_.add(); }
  void lag(const std::string& topic, std::int32_t partition, std::int64_t messages, double seconds);
  void forget_lag(const std::string& topic, std::int32_t partition);
  void in_flight(std::size_t batches, std::size_t bytes) noexcept;
  const telemetry::Logger& log() const noexcept { return log_; }

 private:
  using PerSignal = std::array<telemetry::Counter, kSignalCount>;
  const telemetry::Logger& log_;
  telemetry::Metrics& metrics_;
  const std::string destination_;
  PerSignal records_, bytes_, items_, delivered_bytes_, rejected_;
  std::array<telemetry::Histogram, kSignalCount> latency_, since_produced_;
  std::array<std::array<telemetry::Counter, 4>, kSignalCount> refused_;
  std::array<std::array<telemetry::Counter, kDeadLetterCauseCount>, kSignalCount> dead_letters_;
  std::array<telemetry::Counter, 4> retries_;
  PerSignal stalls_, consumed_items_, dead_letter_items_, released_items_;
  std::array<telemetry::Gauge, kSignalCount> stalled_streams_, in_flight_items_;
  std::array<ItemTotals, kSignalCount> totals_;  // Without in_flight.
  telemetry::Counter halved_, dead_letter_failures_, lost_, truncated_, resets_, no_memory_,
      commits_;
  telemetry::Gauge stalled_, in_flight_batches_, in_flight_bytes_;
};

}  // namespace spanway::kafka_bridge
