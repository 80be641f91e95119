// Receives batches: the one interface between all components, in one process or across the network.
#pragma once

#include "services/lib/base/clock.h"
#include "services/lib/pipeline/ack_token.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/pipeline/pieces.h"

namespace spanway::pipeline {

// The state of a destination, for /statusz and the operator.
struct SinkHealth {
  bool reachable = false;
  // The last failure, empty when the last answer was good. No secrets.
  std::string last_error;
  std::string last_error_reason;
};

// Thread contract: send() is thread-safe and never blocks; the token is decided exactly once, on
// any thread, possibly before send() returns. Life: create, send..., drain, destroy.
class Sink {
 public:
  virtual ~Sink() = default;

  // Takes the batch. A sink that cannot take more now answers transient (RESOURCE_EXHAUSTED or
  // UNAVAILABLE with retry_after) at once instead of queueing without bound. The sink answers by
  // batch.deadline at the latest.
  virtual void send(Batch batch, AckToken token) noexcept = 0;

  // The same for a payload with several owners (`batch.payload` is empty). Joined to one, which
  // no permit but the batch's covers, unless the sink can send pieces.
  virtual void send_pieces(Batch batch, Pieces payload, AckToken token) noexcept;

  // Refuses new batches (UNAVAILABLE) and waits until those in flight are decided or the deadline
  // has passed; true when nothing is left in flight. Idempotent. Blocks; not for io threads.
  virtual bool drain(Deadline deadline) = 0;

  virtual SinkHealth health() const { return {}; }
};

}  // namespace spanway::pipeline
