// OTLP values as JSON text from which the value can be read back with its type.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/otlp/reader.h"

namespace spanway::otlp_blocks {

// Nesting of arrays and lists that is converted.
inline constexpr int kValueDepthMax = 64;

// Strings, booleans, arrays and lists as JSON's own; integers without a point, doubles always with
// a point or an exponent; bytes as {"$bytes": "base64"}, NaN and infinities as {"$double": "NaN"},
// an empty value as null. A key of a list that begins with '$' gets another '$' in front. False,
// with `out` of no use, for broken framing or nesting above kValueDepthMax.
bool append_json(const otlp::ValueView& value, std::string& out);

// Parts of the same form: a double; and a key with its colon.
void append_json_double(double number, std::string& out);
void append_json_key(std::string_view key, std::string& out);

// An object of all attributes; nothing when there are none.
bool append_json(otlp::Attributes attributes, std::string& out);

}  // namespace spanway::otlp_blocks
