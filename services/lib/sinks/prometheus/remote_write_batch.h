// A batch as requests of remote write, within its memory permit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/pipeline/ack_token.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/prometheus_write/write_requests.h"
#include "services/lib/promseries/conversion_options.h"

namespace spanway::sinks {

struct RemoteWriteBatchOptions {
  promseries::Options series;
  std::size_t request_bytes_max = 1u << 20;  // Uncompressed.
};

struct RemoteWriteBatch {
  prometheus_write::Protocol protocol = prometheus_write::Protocol::kV2;
  // In the order of the batch; their bodies are blocks of snappy. An empty one for a batch without
  // data points; none when all of them are rejected.
  std::vector<prometheus_write::WriteRequest> requests;
  std::uint64_t points = 0;
  // Points that Prometheus cannot have; they are in no request.
  pipeline::Outcome outcome;
};

// Takes the payload; the permit then covers the bodies, and one of them twice (1.0 keeps what it
// sends). Errors: RESOURCE_EXHAUSTED transient (no memory now) or unknown (a limit of ours: halving
// helps); data (no OTLP).
Result<RemoteWriteBatch> remote_write_batch(pipeline::Batch& batch,
                                            const RemoteWriteBatchOptions& options,
                                            prometheus_write::Protocol protocol);

}  // namespace spanway::sinks
