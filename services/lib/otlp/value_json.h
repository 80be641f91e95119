// OTLP values as JSON: the one walk over an AnyValue that writes text, but for the hot encoders of
// OTLP/JSON and Zipkin. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/otlp/reader.h"

namespace spanway::otlp {

// Nesting of arrays and lists that is converted.
inline constexpr int kValueDepthMax = 64;

// JSON from which the value can be read back with its type: strings, booleans, arrays and lists as
// JSON's own; integers without a point, doubles always with a point or an exponent; bytes as
// {"$bytes": "base64"}, NaN and infinities as {"$double": "NaN"}, an empty value as null. A list
// has its entries as sent; a key that begins with '$' gets another '$' in front. False, with `out`
// of no use, for broken framing or nesting above kValueDepthMax.
bool append_typed_json(const ValueView& value, std::string& out);

// Parts of the same form: a double; and a key with its colon.
void append_typed_json_double(double number, std::string& out);
void append_typed_json_key(std::string_view key, std::string& out);

// An object of all attributes; nothing when there are none.
bool append_typed_json(Attributes attributes, std::string& out);

struct PlainTextOptions {
  // Strings within arrays and lists have the escapes of Go's encoding/json.
  bool escapes_as_go = false;
  // Writes null for what is nested too deep, and of a broken array or list the elements before the
  // damage; otherwise such a value has no text.
  bool keeps_faulty = false;
};

// The text of a value, for systems whose attributes are strings. Source: `pcommon.Value.AsString`
// of OpenTelemetry's Collector. Strings as they are, numbers as in ECMAScript, bytes as base64,
// nothing for an empty value, arrays and lists as JSON; there a list has its keys in order and the
// last value of a repeated one. Nothing for arrays and lists that JSON cannot express (NaN, an
// infinity). A double that is not finite has no text either: systems differ in it, and callers
// write it.
void append_plain_text(const ValueView& value, std::string& out,
                       const PlainTextOptions& options = {});

}  // namespace spanway::otlp
