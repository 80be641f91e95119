#include "services/lib/sinks/otlp_grpc/tenant_shares_sink.h"

#include <utility>

namespace spanway::sinks {
namespace {

pipeline::AckToken token_of(std::shared_ptr<InFlightBatch> delivery) {
  return pipeline::AckToken([delivery = std::move(delivery)](Result<pipeline::Outcome> result) {
    delivery->finish(std::move(result));
  });
}

}  // namespace

TenantSharesSink::TenantSharesSink(std::unique_ptr<pipeline::Sink> inner, std::size_t in_flight_max,
                                   const Clock& clock)
    : state_(std::make_shared<SinkState>(in_flight_max, clock)), inner_(std::move(inner)) {}

void TenantSharesSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (delivery) inner_->send(std::move(batch), token_of(std::move(delivery)));
}

void TenantSharesSink::send_pieces(pipeline::Batch batch, pipeline::Pieces payload,
                                   pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  inner_->send_pieces(std::move(batch), std::move(payload), token_of(std::move(delivery)));
}

}  // namespace spanway::sinks
