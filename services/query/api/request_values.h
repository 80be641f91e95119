// Values of requests that several APIs read alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query {

// Nanoseconds since 1970 of "2026-11-29T18:00:00.5+01:00"; nothing for other texts and for years
// that they cannot count.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// The 16 bytes of a trace's id, of 1 to 32 hexadecimal digits, not zero; the 8 of a span's.
// INVALID_ARGUMENT, data, "bad_trace_id" or "bad_span_id".
Result<std::string> parse_trace_id(std::string_view text);
Result<std::string> parse_span_id(std::string_view text);

// One member of a JSON object: a text, or a number, boolean or null ("") as it is written.
struct JsonMember {
  std::string key;
  std::string value;
  bool is_text = false;
};
// The members of an object without objects and arrays in it; nothing for other JSON.
std::optional<std::vector<JsonMember>> parse_members(std::string_view json);

}  // namespace spanway::query
