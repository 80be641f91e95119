// Converts batches to blocks, for the sinks that store columns (ClickHouse, S3). Thread-safe.
// Bound: as many converters, with the scratch memory they keep, as batches were ever converted at
// once.
#pragma once

#include <memory>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/pipeline/ack_token.h"
#include "services/lib/pipeline/batch.h"

namespace spanway::sinks {

// The outcome of a batch whose blocks are stored: what is in no block is rejected.
pipeline::Outcome outcome_of(const otlp_blocks::RequestBlocks& blocks);

class BatchConverter {
 public:
  // `batch.permit` grows by what the blocks take beside the payload. `known` as in ConvertOptions.
  Result<otlp_blocks::RequestBlocks> convert(pipeline::Batch& batch,
                                             const otlp_blocks::KnownRows* known);

 private:
  std::unique_ptr<otlp_blocks::Converter> take();

  Mutex mutex_;
  std::vector<std::unique_ptr<otlp_blocks::Converter>> idle_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::sinks
