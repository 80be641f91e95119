#include "services/lib/sinks/in_flight_batch.h"

#include <chrono>

namespace spanway::sinks {

constexpr std::chrono::milliseconds kRetryAfter{1000};

Status SinkState::enter() {
  if (in_flight_.count() >= in_flight_max_) {
    return transient_error(Code::kResourceExhausted,
                           "The sink has " + std::to_string(in_flight_max_) +
                               " batches in flight, its limit; retry later")
        .with_retry_after(kRetryAfter)
        .with_reason("sink_full");
  }
  if (!in_flight_.enter()) {
    return unavailable("The sink is draining and takes no new batches")
        .with_retry_after(kRetryAfter)
        .with_reason("draining");
  }
  return {};
}

void SinkState::record(const Result<pipeline::Outcome>& result) {
  MutexLock lock(mutex_);
  health_.reachable = result.ok() || (result.error().code != Code::kUnavailable &&
                                      result.error().code != Code::kDeadlineExceeded);
  health_.last_error = result.ok() ? "" : result.error().message;
  health_.last_error_reason = result.ok() ? "" : result.error().reason;
}

pipeline::SinkHealth SinkState::health() const {
  MutexLock lock(mutex_);
  return health_;
}

InFlightBatch::~InFlightBatch() {
  if (!finished())
    finish(unavailable("The sink was stopped before the destination had answered")
               .with_reason("sink_stopped"),
           false);
}

void InFlightBatch::finish(Result<pipeline::Outcome> result, bool from_destination) noexcept {
  if (finished_.exchange(true, std::memory_order_acq_rel)) return;
  if (from_destination) state_->record(result);
  token_.answer(std::move(result));
  state_->leave();  // Last: a drain that is over means that everything was answered.
}

std::shared_ptr<InFlightBatch> start_batch(pipeline::AckToken token,
                                           const std::shared_ptr<SinkState>& state) noexcept {
  if (auto entered = state->enter(); !entered.ok()) {
    token.nack(std::move(entered).error());
    return nullptr;
  }
  return std::make_shared<InFlightBatch>(std::move(token), state);
}

Error deadline_passed(std::string_view destination) {
  return transient_error(Code::kDeadlineExceeded, "No time left to send to " +
                                                      std::string(destination) +
                                                      ": the batch's deadline has passed")
      .with_reason("deadline_exceeded");
}

Error no_memory(std::string_view purpose) {
  return transient_error(Code::kResourceExhausted, "Not enough of the memory budget is free to " +
                                                       std::string(purpose) +
                                                       "; retry later, or raise memory_limit")
      .with_retry_after(kRetryAfter)
      .with_reason("no_memory");
}

}  // namespace spanway::sinks
