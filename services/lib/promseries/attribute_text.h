// The text of an attribute's value as a label has it. Pure; thread-safe.
#pragma once

#include <string>

#include "services/lib/otlp/value_json.h"

namespace spanway::promseries {

// As otlp::append_plain_text: nothing for values that have no such form, which are broken framing,
// NaN within a list, and nesting above otlp::kValueDepthMax. NaN and infinities alone are NaN,
// Infinity and -Infinity.
void append_text(const otlp::ValueView& value, std::string& out);

}  // namespace spanway::promseries
