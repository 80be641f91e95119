// OTLP values as the text that Loki keeps of them. Pure; thread-safe.
// Source: OpenTelemetry Collector, pcommon.Value.AsString, which Loki calls, and Go's encoding/json
// for lists.
#pragma once

#include <string>

#include "services/lib/otlp/reader.h"

namespace spanway::logstreams {

// Lists nested deeper are written as null.
inline constexpr int kValueDepthMax = 64;

// Appends: strings as they are, numbers in their shortest form, bytes as base64, arrays and lists
// as JSON with sorted keys. A list that JSON cannot express (NaN, an infinity) is empty, as there.
void append_text(const otlp::ValueView& value, std::string& out);

}  // namespace spanway::logstreams
