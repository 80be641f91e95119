// OTLP/JSON to protobuf bytes and back. protobuf's stock JSON mapping is wrong for OTLP: ids are
// hex, enums are integers, unknown names are ignored.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

struct JsonLimits {
  std::size_t depth_max = 64;  // JSON nesting; AnyValue nesting is limited again by the scan.
  // Protobuf bytes written; the reader stops there.
  std::size_t output_bytes_max = 64u << 20;
};

// One Export*ServiceRequest. Both 64-bit forms (number, decimal string), hex ids in either case,
// base64 bytesValue, NaN/Infinity as strings. Enum names are an error, unknown names are ignored.
// Errors are INVALID_ARGUMENT with the place ("at byte 132: resourceSpans[0]...").
// Thread-safe; the parser's memory is kept per thread.
Result<Bytes> json_to_protobuf(Signal signal, std::string_view json, const JsonLimits& limits = {});

// The reverse, for `file` and `debug`: compact, lowerCamelCase, 64-bit integers as strings.
Result<std::string> protobuf_to_json(Signal signal, std::string_view payload);

}  // namespace spanway::otlp
