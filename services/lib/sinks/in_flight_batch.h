// Shared by all sinks: a batch in flight to a destination, and the health of that destination.

#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/fair_shares.h"
#include "services/lib/base/mutex.h"
#include "services/lib/pipeline/ack_token.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/pipeline/in_flight.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::sinks {

// Thread-safe. Shared by a sink and its deliveries, which may outlive the sink: an answer can be
// under way while the sink is destroyed.
class SinkState {
 public:
  // At most `in_flight_max` deliveries at once, shared among tenants (base/fair_shares.h).
  SinkState(std::size_t in_flight_max, const Clock& clock)
      : in_flight_max_(in_flight_max), clock_(clock), shares_(in_flight_max) {}

  // Takes a place of a share (pipeline/share.h), or says why not: UNAVAILABLE while draining,
  // RESOURCE_EXHAUSTED when full; both transient with retry_after.
  Status enter(const std::string& share);
  // Makes room for the next. `answered`: false = its time passed.
  void give_back(const std::string& share, bool answered);
  // After give_back() and the answer: drain() waits for it.
  void leave() { in_flight_.leave(); }
  bool drain(Deadline deadline) { return in_flight_.close_and_wait(deadline); }

  // Records an answer. A destination that refuses is reachable; its refusal is the last error.
  void record(const Result<pipeline::Outcome>& result);
  pipeline::SinkHealth health() const;

 private:
  const std::size_t in_flight_max_;
  const Clock& clock_;
  pipeline::InFlight in_flight_;
  mutable Mutex mutex_;
  FairShares shares_ SPANWAY_GUARDED_BY(mutex_);
  pipeline::SinkHealth health_ SPANWAY_GUARDED_BY(mutex_);
};

// One batch between send() and its answer: holds its place among those in flight. Thread-safe:
// finish() may be called by several (an answer and a deadline), the first one counts. Destroyed
// unfinished (the sink was destroyed with work in flight) = UNAVAILABLE.
class InFlightBatch {
 public:
  InFlightBatch(pipeline::AckToken token, std::shared_ptr<SinkState> state, std::string share)
      : token_(std::move(token)), state_(std::move(state)), share_(std::move(share)) {}
  InFlightBatch(const InFlightBatch&) = delete;
  InFlightBatch& operator=(const InFlightBatch&) = delete;
  ~InFlightBatch();

  // The destination's answer, or our own refusal: `from_destination` says which one counts for
  // health().
  void finish(Result<pipeline::Outcome> result, bool from_destination = true) noexcept;
  bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }

 private:
  pipeline::AckToken token_;
  const std::shared_ptr<SinkState> state_;
  const std::string share_;
  std::atomic<bool> finished_{false};
};

// Answers the token at once when there is no place; otherwise the delivery.
std::shared_ptr<InFlightBatch> start_batch(const pipeline::Batch& batch, pipeline::AckToken token,
                                           const std::shared_ptr<SinkState>& state) noexcept;

// DEADLINE_EXCEEDED, transient.
Error deadline_passed(std::string_view destination);
// RESOURCE_EXHAUSTED, transient: the memory budget does not allow what converting `bytes` needs.
Error no_memory(std::string_view purpose);

}  // namespace spanway::sinks
