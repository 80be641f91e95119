#include "services/exporter/gate.h"

#include <atomic>
#include <string>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/otlp/reader.h"

namespace spanway::exporter {
namespace {

constexpr Duration kProbeTimeout = std::chrono::seconds(10);

Error with_some_reason(Error error) {
  if (*error.reason != '\0') return error;
  switch (error.refusal) {
    case Refusal::kTransient:
      return std::move(error).with_reason("destination_transient");
    case Refusal::kData:
      return std::move(error).with_reason("destination_data");
    case Refusal::kConfiguration:
      return std::move(error).with_reason("destination_configuration");
    case Refusal::kUnknown:
      break;
  }
  return std::move(error).with_reason("destination_unknown");
}

}  // namespace

struct Gate::State {
  State(const GateOptions& options, pipeline::Sink& sink, Executor& executor,
        telemetry::Telemetry telemetry)
      : events(telemetry, options.destination),
        breaker(options.circuit_breaker),
        timers(executor),
        probe_interval(options.probe_interval),
        destination(&sink),
        last_answer(executor.clock().now().time_since_epoch().count()) {
    for (const otlp::Signal signal : otlp::kSignals)
      if (options.signals[otlp::index_of(signal)]) {
        probe_signal = signal;
        break;
      }
  }

  void answered() noexcept {
    last_answer.store(timers.clock().now().time_since_epoch().count(), std::memory_order_relaxed);
    probed.store(true, std::memory_order_relaxed);
  }

  void changed(CircuitBreaker::Change change) const {
    if (change == CircuitBreaker::Change::kOpened) events.circuit_opened(breaker.last_failure());
    if (change == CircuitBreaker::Change::kClosed) events.circuit_closed();
  }

  const Events events;
  CircuitBreaker breaker;
  Executor& timers;
  const Duration probe_interval;
  otlp::Signal probe_signal = otlp::Signal::kTraces;

  // Held while a probe is handed over, so that the destination stays until it is; never taken by an
  // answer.
  Mutex probe_mutex;
  pipeline::Sink* destination SPANWAY_GUARDED_BY(probe_mutex);  // Null = no more probes.

  std::atomic<SteadyTime::rep> last_answer;
  std::atomic<bool> probed{false};  // The destination has answered, or failed to, at least once.
};

Gate::Gate(GateOptions options, std::unique_ptr<pipeline::Sink> destination, Executor& timers,
           telemetry::Telemetry telemetry)
    : options_(std::move(options)),
      destination_(std::move(destination)),
      state_(std::make_shared<State>(options_, *destination_, timers, telemetry)) {}

Gate::~Gate() {
  MutexLock lock(state_->probe_mutex);
  state_->destination = nullptr;
}

void Gate::start() {
  if (options_.probe_interval > Duration::zero()) probe_later(state_, Duration::zero());
}

void Gate::probe_later(std::weak_ptr<State> weak, Duration wait) {
  const auto state = weak.lock();
  if (!state) return;
  state->timers.post_after(wait, [weak] {
    if (const auto alive = weak.lock()) probe(alive);
  });
}

void Gate::probe(const std::shared_ptr<State>& state) {
  const SteadyTime now = state->timers.clock().now();
  const SteadyTime last{Duration(state->last_answer.load(std::memory_order_relaxed))};
  const bool due =
      !state->probed.load(std::memory_order_relaxed) || now - last >= state->probe_interval;
  MutexLock lock(state->probe_mutex);
  if (state->destination == nullptr) return;
  if (due) {
    pipeline::Batch empty;
    empty.signal = state->probe_signal;
    empty.deadline = Deadline::at(now + kProbeTimeout);
    state->destination->send(std::move(empty), pipeline::AckToken([state](const auto& result) {
                               state->answered();
                               state->changed(state->breaker.probed(result));
                             }));
  }
  const Duration rest = due ? state->probe_interval : state->probe_interval - (now - last);
  probe_later(state, rest);
}

void Gate::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  const otlp::Signal signal = batch.signal;
  if (!options_.signals[otlp::index_of(signal)]) {
    Error error =
        configuration_error(Code::kUnimplemented,
                            "This exporter (destination " + options_.destination +
                                ") does not take " + std::string(otlp::to_string(signal)) +
                                "; send it other signals, or change `signals`")
            .with_reason("signal_not_accepted");
    state_->events.not_accepted(signal, error);
    return token.nack(std::move(error));
  }
  if (batch.item_count == 0 && !batch.payload.empty()) {
    auto counted = otlp::count_items(signal, batch.payload.view());
    if (!counted.ok()) {
      state_->events.not_accepted(signal, counted.error());
      return token.nack(std::move(counted).error());
    }
    batch.item_count = counted.value();
  }
  // Last: an admitted batch is always answered.
  const std::string tenant = batch.metadata.tenant;
  const SteadyTime start = state_->timers.clock().now();
  if (const Duration wait = state_->breaker.admit(signal, tenant, start); wait > Duration::zero()) {
    Error error = circuit_open(*state_, wait);
    state_->events.circuit_refused(signal);
    return token.nack(std::move(error));
  }
  state_->events.received(signal, batch.payload.size());
  const std::uint64_t items = batch.item_count;
  // std::function copies what it holds, and a token is never copied.
  auto shared_token = std::make_shared<pipeline::AckToken>(std::move(token));
  pipeline::AckToken outer([state = state_, shared_token = std::move(shared_token), signal, tenant,
                            items, start](Result<pipeline::Outcome> result) {
    if (!result.ok()) result = with_some_reason(std::move(result).error());
    state->answered();
    const SteadyTime now = state->timers.clock().now();
    state->events.answered(signal, items, now - start, result);
    state->changed(state->breaker.answered(signal, tenant, result, now));
    shared_token->answer(std::move(result));
  });
  destination_->send(std::move(batch), std::move(outer));
}

Error Gate::circuit_open(const State& state, Duration wait) {
  return unavailable("the circuit of the destination is open, only probes are sent to it: " +
                     state.breaker.last_failure())
      .with_reason("circuit_open")
      .with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(wait));
}

bool Gate::drain(Deadline deadline) {
  {
    MutexLock lock(state_->probe_mutex);
    state_->destination = nullptr;
  }
  return destination_->drain(deadline);
}

pipeline::SinkHealth Gate::health() const { return destination_->health(); }

std::optional<bool> Gate::reachable() const {
  if (!state_->probed.load(std::memory_order_relaxed)) return std::nullopt;
  return destination_->health().reachable;
}

CircuitBreaker::State Gate::circuit() const { return state_->breaker.state(); }

std::string Gate::last_failure() const { return state_->breaker.last_failure(); }

const Events& Gate::events() const noexcept { return state_->events; }

}  // namespace spanway::exporter
