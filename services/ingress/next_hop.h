// Watches the last step out of the ingress: has the next hop ever answered, how is it now.
#pragma once

#include <atomic>
#include <memory>

#include "services/ingress/events.h"
#include "services/lib/base/executor.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::ingress {

// Thread-safe. Passes batches on unchanged. Readiness latches with the first answer that shows that
// the next hop is there: a success, or a refusal of its own. Until then an empty request is sent
// every second, because clients are not sent here before we are ready.
class NextHop final : public pipeline::Sink {
 public:
  // `next` outlives this object; clock and telemetry outlive every answer.
  NextHop(pipeline::Sink& next, const Clock& clock, Events events);
  ~NextHop() override;

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override { return next_.health(); }

  // Begins to probe on `executor`, which outlives this object, until has_answered().
  void start_probing(Executor& executor);
  bool has_answered() const noexcept;

 private:
  struct State;

  pipeline::Sink& next_;
  const std::shared_ptr<State> state_;
};

// True when this error is the next hop's own refusal and not the failure to reach it.
bool is_answer_of_service(const Error& error) noexcept;

}  // namespace spanway::ingress
