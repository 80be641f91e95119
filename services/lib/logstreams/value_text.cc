#include "services/lib/logstreams/value_text.h"

#include <cmath>

namespace spanway::logstreams {

void append_text(const otlp::ValueView& value, std::string& out) {
  if (value.kind == otlp::ValueKind::kDouble && !std::isfinite(value.number)) {
    out += std::isnan(value.number) ? "NaN" : value.number > 0 ? "Infinity" : "-Infinity";
    return;
  }
  otlp::append_plain_text(value, out, {.escapes_as_go = true, .keeps_faulty = true});
}

}  // namespace spanway::logstreams
