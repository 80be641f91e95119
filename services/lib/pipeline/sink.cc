#include "services/lib/pipeline/sink.h"

#include <utility>

namespace spanway::pipeline {

void Sink::send_pieces(Batch batch, Pieces payload, AckToken token) noexcept {
  batch.payload = payload.join();
  send(std::move(batch), std::move(token));
}

}  // namespace spanway::pipeline
