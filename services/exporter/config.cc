#include "services/exporter/config.h"

#include <algorithm>

#include "services/lib/config/memory_limit.h"

namespace spanway::exporter {
namespace {

using config::Binder;
using config::Problems;

constexpr double kSecond = 1000.0;
constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;
constexpr double kGibi = 1024.0 * kMebi;

bool has_signal(const ExporterConfig& c, otlp::Signal signal) {
  return std::find(c.signals.begin(), c.signals.end(), otlp::to_string(signal)) != c.signals.end();
}

}  // namespace

// Not in the unnamed namespace: the binder finds them next to their types.
static void describe(Binder& b, OtlpConfig::Grpc& c) {
  b.key("port", c.port, {.doc = "Port of OTLP/gRPC; 0 takes a free one."});
}

static void describe(Binder& b, OtlpConfig& c) {
  describe_listener(b, c);
  b.section("grpc", c.grpc, "OTLP/gRPC.");
  b.key(
      "message_bytes_max", c.message_bytes_max,
      {.doc = "Largest request, before and after decompression.", .min = 64 * kKibi, .max = kGibi});
  b.key("compressed_bytes_max", c.compressed_bytes_max,
        {.doc = "Largest compressed request.", .min = 64 * kKibi, .max = kGibi});
  b.key("deadline_max", c.deadline_max,
        {.doc = "Longest wait for the destination; a sender may ask for less.",
         .min = 100,
         .max = 300 * kSecond});
  describe_connection_limits(b, c.connections);
}

static void describe(Binder& b, CircuitBreakerConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Send only probes while the destination fails."});
  b.key("failure_ratio", c.failure_ratio,
        {.doc = "Failures among the answers of a window at which the circuit opens: everything but "
                "accepted batches, data errors and RESOURCE_EXHAUSTED. Each signal and tenant with "
                "an answer must reach it.",
         .min = 0.1,
         .max = 1});
  b.key("answers_min", c.answers_min,
        {.doc = "Answers that a window needs before the circuit opens.", .min = 1, .max = 100'000});
  b.key("window", c.window,
        {.doc = "Answers of this time count, or of half of it.",
         .min = kSecond,
         .max = 300 * kSecond});
  b.key("open_for", c.open_for,
        {.doc = "Time between a failure and the next probe of its signal and tenant.",
         .min = 100,
         .max = 300 * kSecond});
}

void describe(Binder& b, ExporterSections& sections) {
  ExporterConfig& c = sections.config;
  b.section("otlp", c.otlp, "Where batches come in.");
  b.section("destination", c.destination, "Where they go: one destination per exporter.");
  b.section("circuit_breaker", c.circuit_breaker,
            "Spares a destination that fails; nothing is lost, batches wait in Kafka.");
  b.key("signals", c.signals,
        {.doc = "Signals to accept: traces, metrics, logs. Empty = all that the destination takes. "
                "Others are refused as UNIMPLEMENTED, and the sender keeps them.",
         .example = "[traces]",
         .pattern = "traces|metrics|logs"});
  b.key("trust_metadata", c.trust_metadata,
        {.doc = "Take over tenant and batch identity from the sender. Only behind mTLS or a "
                "network policy."});
  b.key("probe_interval", c.probe_interval,
        {.doc = "After this long without traffic an empty batch is sent, so that /statusz knows "
                "whether the destination is there. 0 = never.",
         .min = 0,
         .max = 3'600 * kSecond});
}

void describe(Binder& b, ExporterConfig& c) {
  ExporterSections sections{c};
  describe(b, sections);
  config::describe_memory_limit(b, c.memory_limit);
}

std::uint64_t budget_bytes(const ExporterConfig& c) noexcept {
  return c.budget_share > 0 ? c.budget_share : config::request_budget(c.memory_limit, 0);
}

void validate(const ExporterConfig& c, Problems& problems) {
  validate(c.destination, problems);
  validate(static_cast<const OtlpListenerConfig&>(c.otlp), "otlp", problems);
  validate(c.otlp.connections, "otlp", problems);
  if (c.otlp.compressed_bytes_max > c.otlp.message_bytes_max)
    problems.add("otlp.compressed_bytes_max", "must not be above otlp.message_bytes_max");
  if (const std::uint64_t needed = c.otlp.message_bytes_max.bytes; needed > budget_bytes(c))
    problems.add("otlp.message_bytes_max",
                 "is too large: such a request could never be taken. memory_limit leaves " +
                     config::mebibytes(budget_bytes(c)) +
                     " for requests. Lower it or raise memory_limit");
  const sinks::Descriptor& traits = sinks::descriptor_of(c.destination.type);
  for (const otlp::Signal signal : otlp::kSignals) {
    if (has_signal(c, signal) && !traits.signals[otlp::index_of(signal)])
      problems.add("signals", "a " + std::string(to_string(c.destination.type)) +
                                  " destination does not take " +
                                  std::string(otlp::to_string(signal)));
  }
}

std::array<bool, 3> accepted_signals(const ExporterConfig& c) noexcept {
  std::array<bool, 3> accepted = sinks::descriptor_of(c.destination.type).signals;
  if (c.signals.empty()) return accepted;
  for (const otlp::Signal signal : otlp::kSignals)
    accepted[otlp::index_of(signal)] = accepted[otlp::index_of(signal)] && has_signal(c, signal);
  return accepted;
}

}  // namespace spanway::exporter
