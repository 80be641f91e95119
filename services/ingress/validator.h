// Validates every request in one pass: rejects broken items, counts the rest, applies rate limits.
#pragma once

#include <cstdint>
#include <memory>

#include "services/ingress/events.h"
#include "services/lib/auth/rate_limiter.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::ingress {

// Thread-safe; works on the calling thread, with one scanner per thread. An empty request is
// answered at once. Items that break a rule are removed and reported in the outcome, together with
// what was rejected behind; when none is left the whole request is INVALID_ARGUMENT. `next` and the
// limiter outlive it; clock and telemetry outlive every answer.
class Validator final : public pipeline::Sink {
 public:
  // `hand_scan_on`: `next` is in this process and can use what was found here. `index_memory`
  // grants what the index of an unusual request takes; it outlives the validator and may be
  // null.
  Validator(otlp::ScanLimits limits, Transport transport, auth::RateLimiter& limiter,
            const Clock& clock, Events events, pipeline::Sink& next, bool hand_scan_on = false,
            MemoryBudget* index_memory = nullptr);

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override { return next_.drain(deadline); }
  pipeline::SinkHealth health() const override { return next_.health(); }

 private:
  // This thread's.
  otlp::Scanner& scanner();
  // Handles a scanned request. The scanner's index is of batch.payload.
  void take(pipeline::Batch batch, pipeline::AckToken token, const otlp::Scanner& scan) noexcept;
  void refuse_scanned(pipeline::AckToken token, Error error) const noexcept;
  void refuse_without_memory(pipeline::AckToken token) const noexcept;
  // Counts why the request is refused, and refuses it.
  void refuse(pipeline::AckToken token, RefusedBy reason, Error error) const noexcept;
  Error refusal_of_rejected(const otlp::Index& index) const;
  void count_rejected(const otlp::Index& index) const noexcept;
  pipeline::AckToken observe(otlp::Signal signal, pipeline::Outcome own, pipeline::AckToken token);

  // State of answers that may come late: shared with them, so that they never need the validator.
  struct Observer {
    Events events;
    const Clock& clock;
    Transport transport;
  };
  const otlp::ScanLimits limits_;
  const std::uint64_t id_;
  const std::shared_ptr<const Observer> observer_;
  auth::RateLimiter& limiter_;
  pipeline::Sink& next_;
  const bool hand_scan_on_;
  MemoryBudget* const index_memory_;
};

}  // namespace spanway::ingress
