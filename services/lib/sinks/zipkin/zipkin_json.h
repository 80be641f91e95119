// OTLP spans as Zipkin v2 JSON, by OpenTelemetry's "OpenTelemetry to Zipkin Transformation".
//
// Where that text leaves room: links become tags `otlp.link.<n>` and the trace state a tag
// `w3c.tracestate`, as the OpenTelemetry Collector writes them; a duration below one microsecond is
// one, because Zipkin takes zero for "unknown"; an `error` tag holds the status message, or, when
// there is none, the span's own `error` attribute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/reader.h"

namespace spanway::sinks {

struct ZipkinJsonOptions {
  // Resource attributes that become tags of every span: names, or prefixes that end in "*".
  // `service.name` never does: it is the local endpoint.
  std::vector<std::string> resource_tags = {"service.*"};
  // A request body is closed before it grows above this; a single larger span gets a body of its
  // own.
  std::size_t request_bytes_max = 5'000'000;
  // All bodies of one batch. More is refused as data (so that the sender halves the batch): many
  // spans may share one large resource attribute.
  std::size_t output_bytes_max = 64u << 20;
};

struct ZipkinRequests {
  std::vector<Bytes> bodies;  // At least one; "[]" when there are no spans.
  std::uint64_t spans = 0;
  std::uint64_t rejected = 0;  // Spans without a valid trace or span id, or nested too deep.
  std::size_t total_bytes() const noexcept {
    std::size_t total = 0;
    for (const Bytes& body : bodies) total += body.size();
    return total;
  }
};

// Called before the output grows to `total` bytes; false = no memory now.
using GrowOutput = std::function<bool(std::size_t total)>;

// Errors: INVALID_ARGUMENT (framing), RESOURCE_EXHAUSTED data (output_bytes_max),
// RESOURCE_EXHAUSTED transient (`grow`).
Result<ZipkinRequests> to_zipkin_json(std::string_view payload, const ZipkinJsonOptions& options,
                                      const GrowOutput& grow);

}  // namespace spanway::sinks
