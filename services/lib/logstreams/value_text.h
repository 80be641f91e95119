// OTLP values as the text that Loki keeps of them. Pure; thread-safe.
#pragma once

#include <string>

#include "services/lib/otlp/value_json.h"

namespace spanway::logstreams {

// As otlp::append_plain_text, with Go's escapes; lists nested too deep are null. NaN and infinities
// have the text of Go's error, as in Loki.
void append_text(const otlp::ValueView& value, std::string& out);

}  // namespace spanway::logstreams
