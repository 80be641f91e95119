// Shares the calls of a gRPC client among tenants. The client itself does not: between our services
// the sender has done so.
#pragma once

#include <cstddef>
#include <memory>

#include "services/lib/base/clock.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {

// Thread-safe, as `inner` is. Refuses a batch whose tenant has its share (base/fair_shares.h), and
// passes the others on.
class TenantSharesSink final : public pipeline::Sink {
 public:
  TenantSharesSink(std::unique_ptr<pipeline::Sink> inner, std::size_t in_flight_max,
                   const Clock& clock);
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  void send_pieces(pipeline::Batch batch, pipeline::Pieces payload,
                   pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override { return inner_->drain(deadline); }
  pipeline::SinkHealth health() const override { return inner_->health(); }

 private:
  const std::shared_ptr<SinkState> state_;
  const std::unique_ptr<pipeline::Sink> inner_;
};

}  // namespace spanway::sinks
