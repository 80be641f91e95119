#include "services/query/memory_sink.h"

#include <string>
#include <utility>

namespace spanway::query {

void MemorySink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  if (batch.signal != otlp::Signal::kTraces)
    return token.nack(
        configuration_error(Code::kUnimplemented, "the memory store takes traces only, not " +
                                                      std::string(otlp::to_string(batch.signal)))
            .with_reason("signal_not_supported"));
  Status added = store_.add(batch.metadata.tenant, batch.payload.view());
  if (!added.ok()) return token.nack(std::move(added).error());
  token.ack();
}

}  // namespace spanway::query
