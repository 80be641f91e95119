// The text of an attribute's value as a label has it.
#pragma once

#include <string>

#include "services/lib/otlp/reader.h"

namespace spanway::promseries {

// Lists and maps nested deeper have no text.
inline constexpr int kValueDepthMax = 64;

// Appends as OpenTelemetry's `AsString` does: numbers as in ECMAScript, bytes as base64, lists and
// maps as JSON with keys in order. Nothing for values that have no such form: broken framing, NaN
// within a list, too deep.
void append_text(const otlp::ValueView& value, std::string& out);

}  // namespace spanway::promseries
