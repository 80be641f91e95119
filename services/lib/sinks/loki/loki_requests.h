// A batch as requests to Loki, within its memory permit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/sinks/loki/config.h"
#include "services/lib/sinks/loki/stored_requests.h"

namespace spanway::sinks {

struct LokiRequest {
  Bytes body;  // Compressed.
  std::uint64_t entries = 0;
  std::uint64_t key = 0;  // StoredRequests::key_of().
};

struct LokiRequestOptions {
  LokiConfig::Protocol protocol = LokiConfig::Protocol::kOtlp;
  std::vector<std::string> labels;  // `push` only.
  // That of OTLP bodies; push requests are blocks of snappy.
  http::ContentCoding compression = http::ContentCoding::kGzip;
};

// Requests of one stream each, in the order of the batch: for each stream (OTLP: each resource),
// the requests that must be sent one after the other. One without streams for a batch without
// records, or if all are `stored` already. Takes the payload; the permit then covers the bodies.
// `received_unix_nano` is the time of records that have none (push). Errors: RESOURCE_EXHAUSTED
// transient (no memory now) or unknown (a limit of ours: halving helps); data (no OTLP).
Result<std::vector<std::vector<LokiRequest>>> loki_requests(pipeline::Batch& batch,
                                                            const LokiRequestOptions& options,
                                                            std::uint64_t received_unix_nano,
                                                            const StoredRequests& stored);

}  // namespace spanway::sinks
