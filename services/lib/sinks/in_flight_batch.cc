#include "services/lib/sinks/in_flight_batch.h"

#include <chrono>
#include <string>
#include <utility>

#include "services/lib/pipeline/share.h"

namespace spanway::sinks {

constexpr std::chrono::milliseconds kRetryAfter{1000};

Status SinkState::enter(const std::string& share) {
  MutexLock lock(mutex_);
  const SteadyTime now = clock_.now();
  if (!shares_.has_room(share, now)) {
    const bool is_full = shares_.held() >= in_flight_max_;
    return transient_error(Code::kResourceExhausted,
                           (is_full ? "The sink has " : "The tenant has its share of ") +
                               std::to_string(in_flight_max_) +
                               " batches in flight, the sink's limit; retry later")
        .with_retry_after(kRetryAfter)
        .with_reason("sink_full");
  }
  if (!in_flight_.enter()) {
    return unavailable("The sink is draining and takes no new batches")
        .with_retry_after(kRetryAfter)
        .with_reason("draining");
  }
  shares_.take(share, now);
  return {};
}

void SinkState::give_back(const std::string& share, bool answered) {
  MutexLock lock(mutex_);
  shares_.give_back(share, answered, clock_.now());
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
  const bool answered = result.ok() || result.error().code != Code::kDeadlineExceeded;
  // The owner of the token may send the next batch at once.
  state_->give_back(share_, answered);
  token_.answer(std::move(result));
  state_->leave();  // Last: a drain that is over means that everything was answered.
}

std::shared_ptr<InFlightBatch> start_batch(const pipeline::Batch& batch, pipeline::AckToken token,
                                           const std::shared_ptr<SinkState>& state) noexcept {
  std::string share = pipeline::share_of(batch.signal, batch.metadata.tenant);
  if (auto entered = state->enter(share); !entered.ok()) {
    token.nack(std::move(entered).error());
    return nullptr;
  }
  return std::make_shared<InFlightBatch>(std::move(token), state, std::move(share));
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
