// Stored JSON back to OTLP values: the reverse of otlp/value_json.h.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/otlp/reader.h"

namespace spanway::otlp_blocks {

// Reads values and keeps the texts that they point to, until clear(). Single-thread.
class ValueReader {
 public:
  // Any value that append_typed_json() writes. False for other text, and when it is nested deeper
  // than otlp::kValueDepthMax.
  bool read(std::string_view json, otlp::ValueView& value);
  // The entries of an object, appended; nothing for an empty text.
  bool read(std::string_view json, std::vector<otlp::AttributeView>& attributes);
  void clear() noexcept { kept_.clear(); }

 private:
  std::string_view keep(std::string text);
  std::deque<std::string> kept_;
};

// Appends a value as the fields of an AnyValue.
void append_any_value(const otlp::ValueView& value, Bytes& out);

}  // namespace spanway::otlp_blocks
