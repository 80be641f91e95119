// OTLP/JSON to protobuf bytes and back. protobuf's stock JSON mapping is wrong for OTLP: ids are
// hex, enums are integers, unknown names are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

struct JsonLimits {
  // JSON nesting: what is deeper costs its item (kTooDeep), as the scan's own limit does. One level
  // of AnyValue takes up to four. Never below 16, where data points are, nor above 512.
  std::size_t depth_max = 256;
  // Protobuf bytes written; the reader stops there. JSON can grow on the way: "[0,0]" becomes 8
  // bytes per element.
  std::size_t output_bytes_max = 64u << 20;
  // Grown by what the output takes, by old and new buffer while it is moved to a larger one. When
  // it cannot be: RESOURCE_EXHAUSTED, transient, "no_memory". Null = no permit is needed.
  Permit* permit = nullptr;
};

// Properties that the bytes do not show.
struct JsonNotes {
  // Halves of surrogate pairs that became U+FFFD.
  std::uint64_t replaced_surrogates = 0;
  // The first value that its field cannot take, with its place; empty without one. Never quotes the
  // request.
  std::string first_fault;
};

// One Export*ServiceRequest. Both 64-bit forms (number, decimal string), hex ids in either case,
// base64 bytesValue, NaN/Infinity as strings.
// Only what is no JSON refuses the request. A value that its field cannot take (an enum by its
// name, "true" in quotes, a number out of range) or that nests too deep costs its item, one of a
// resource or scope all items under it: the scan of the bytes rejects and counts them
// (kInvalidValue, kTooDeep, kInvalidTraceId, kInvalidUtf8 ...), so the bytes must be scanned before
// they are used. Unknown names are ignored at any depth, but a request with unknown names and no
// item is one that the scan rejects (kUnknownContent); snake_case is unknown, and a usual mistake.
// Errors are data errors with the place ("at byte 132 (resourceSpans[0]...)"): INVALID_ARGUMENT
// with the reason "malformed_json", or RESOURCE_EXHAUSTED with "request_too_large". Thread-safe.
// Needs memory for the answer only, and no more than twice of it while it grows.
Result<Bytes> json_to_protobuf(Signal signal, std::string_view json, const JsonLimits& limits = {},
                               JsonNotes* notes = nullptr);

// The reverse, for `file` and `debug`: compact, lowerCamelCase, 64-bit integers as strings, fields
// in the order of their numbers. What JSON has no name for (unknown fields) is left out. Broken
// framing, bad UTF-8 or more than 128 nested messages are INVALID_ARGUMENT ("malformed_request"),
// more text than `output_bytes_max` is RESOURCE_EXHAUSTED. Thread-safe.
Result<std::string> protobuf_to_json(Signal signal, std::string_view payload,
                                     std::size_t output_bytes_max = 1u << 30);

}  // namespace spanway::otlp
