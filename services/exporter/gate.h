// Between the listener and the destination: accepts signals, counts, breaks the circuit, probes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "services/exporter/circuit_breaker.h"
#include "services/exporter/events.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/executor.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::exporter {

struct GateOptions {
  std::string destination;                           // For labels: "zipkin".
  std::array<bool, 3> signals = {true, true, true};  // By otlp::index_of.
  // After this long without an answer an empty batch is sent; 0 = never.
  Duration probe_interval = std::chrono::seconds(30);
  CircuitBreakerConfig circuit_breaker = {};
};

// Thread-safe. Passes on batches of accepted signals and their answers unchanged, except that a
// refusal without a reason gets one ("destination_data"), so that the sender can write it into a
// dead letter. Others are refused as UNIMPLEMENTED, configuration: the sender stalls and loses
// nothing. While the circuit is open, batches that are no
// probes are refused as UNAVAILABLE, transient, reason "circuit_open", with the time to come back.
class Gate final : public pipeline::Sink {
 public:
  // `timers` (for probes), `clock` of it, and telemetry outlive the gate.
  Gate(GateOptions options, std::unique_ptr<pipeline::Sink> destination, Executor& timers,
       telemetry::Telemetry telemetry);
  ~Gate() override;
  // Starts to probe.
  void start();

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;
  // Nothing until the destination has answered for the first time.
  std::optional<bool> reachable() const;
  CircuitBreaker::State circuit() const;
  // Why the circuit is open; empty while it is closed.
  std::string last_failure() const;
  const Events& events() const noexcept;

 private:
  struct State;
  static void probe_later(std::weak_ptr<State> weak, Duration wait);
  static void probe(const std::shared_ptr<State>& state);
  static Error circuit_open(const State& state, Duration wait);

  const GateOptions options_;
  std::unique_ptr<pipeline::Sink> destination_;
  // Shared with answers that are under way.
  std::shared_ptr<State> state_;
};

}  // namespace spanway::exporter
