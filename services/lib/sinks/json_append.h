// Writing JSON by hand, for destinations whose shape is small and whose volume is large.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/otlp/reader.h"

namespace spanway::sinks {

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD: what is sent is always
// valid JSON, whatever was received.
void append_json_string(Bytes& out, std::string_view text);
void append_number(Bytes& out, std::uint64_t number);
void append_number(Bytes& out, std::int64_t number);
// The shortest text that reads back as the same number; NaN, Infinity and -Infinity as these words.
void append_number(Bytes& out, double number);
void append_hex(Bytes& out, std::string_view bytes);

// An attribute value as JSON: strings, numbers and booleans as such, bytes as base64 strings, empty
// as null, and what JSON numbers cannot say (NaN) as strings. False when it is nested deeper than
// 32 levels or its framing is broken.
[[nodiscard]] bool append_json_value(Bytes& out, const otlp::ValueView& value);
// {"key": value, ...}
[[nodiscard]] bool append_json_object(Bytes& out, otlp::Attributes attributes);
// An attribute value as plain text, for systems whose attributes are strings: strings as they are,
// arrays and lists as JSON. Conditions as append_json_value.
[[nodiscard]] bool append_text(Bytes& out, const otlp::ValueView& value);

}  // namespace spanway::sinks
