// The configuration of the exporter: structs, their keys and their rules. No transport, so that the
// operator can link it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/sinks/destination.h"

namespace spanway::exporter {

struct OtlpConfig : OtlpListenerConfig {
  struct Grpc {
    std::uint16_t port = 4337;
  } grpc;
  config::ByteSize message_bytes_max{64u << 20};
  config::ByteSize compressed_bytes_max{16u << 20};
  Duration deadline_max = std::chrono::seconds(30);
  ConnectionLimitsConfig connections;  // Its keys are on the same level as the ones above.
};

// See circuit_breaker.h.
struct CircuitBreakerConfig {
  bool enabled = true;
  double failure_ratio = 0.9;
  std::int64_t answers_min = 20;
  Duration window = std::chrono::seconds(10);
  Duration open_for = std::chrono::seconds(5);
};

struct ExporterConfig {
  OtlpConfig otlp;
  sinks::DestinationConfig destination;
  CircuitBreakerConfig circuit_breaker;
  // Which signals are accepted; empty = all that the destination takes.
  std::vector<std::string> signals;
  bool trust_metadata = false;
  config::ByteSize memory_limit{256u << 20};
  // Set by the caller, not by the configuration, where other services share the process: the part
  // of its budget that is the exporter's. 0 = what follows from memory_limit.
  std::uint64_t budget_share = 0;
  Duration probe_interval = std::chrono::seconds(30);
};

// The bytes that permits may cover: batches and their conversions.
std::uint64_t budget_bytes(const ExporterConfig& c) noexcept;

// Binds the sections at the top level of the service's file.
void describe(config::Binder& b, ExporterConfig& c);
// All but memory_limit: a process of several services has one for all.
struct ExporterSections {
  ExporterConfig& config;
};
void describe(config::Binder& b, ExporterSections& sections);
// Rules that go across keys.
void validate(const ExporterConfig& c, config::Problems& problems);

// By otlp::index_of: `signals`, or what the destination takes. Of a valid configuration.
std::array<bool, 3> accepted_signals(const ExporterConfig& c) noexcept;

}  // namespace spanway::exporter
