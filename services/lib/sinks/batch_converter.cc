#include "services/lib/sinks/batch_converter.h"

#include <string>
#include <utility>

namespace spanway::sinks {

pipeline::Outcome outcome_of(const otlp_blocks::RequestBlocks& blocks) {
  pipeline::Outcome outcome;
  outcome.rejected = blocks.rejected;
  if (blocks.rejected > 0)
    outcome.message = std::to_string(blocks.rejected) + ' ' + blocks.rejected_reason;
  return outcome;
}

std::unique_ptr<otlp_blocks::Converter> BatchConverter::take() {
  MutexLock lock(mutex_);
  if (idle_.empty()) return std::make_unique<otlp_blocks::Converter>();
  auto converter = std::move(idle_.back());
  idle_.pop_back();
  return converter;
}

Result<otlp_blocks::RequestBlocks> BatchConverter::convert(pipeline::Batch& batch,
                                                           const otlp_blocks::KnownRows* known) {
  auto converter = take();
  const std::size_t payload = batch.permit.bytes();
  auto blocks = converter->convert(
      batch.signal, batch.payload.view(),
      {.tenant = batch.metadata.tenant, .known = known, .grow = [&](std::size_t bytes) {
         return batch.permit.grow_to(payload + bytes);
       }});
  MutexLock lock(mutex_);
  idle_.push_back(std::move(converter));
  return blocks;
}

}  // namespace spanway::sinks
