#include "services/lib/promseries/attribute_text.h"

#include <cmath>
#include <map>

#include "services/lib/base/base64.h"
#include "services/lib/base/ecmascript_number.h"
#include "services/lib/base/json_writer.h"

namespace spanway::promseries {
namespace {

bool append_json(const otlp::ValueView& value, std::string& out, int depth);

bool append_array(std::string_view encoded, std::string& out, int depth) {
  out += '[';
  otlp::ArrayReader array(encoded);
  for (bool is_first = true; const auto element = array.next(); is_first = false) {
    if (!is_first) out += ',';
    if (!append_json(*element, out, depth)) return false;
  }
  out += ']';
  return !array.malformed();
}

bool append_map(std::string_view encoded, std::string& out, int depth) {
  std::map<std::string_view, otlp::ValueView> entries;  // The last one of a repeated key.
  otlp::KvlistReader list(encoded);
  while (const auto entry = list.next()) entries[entry->key] = entry->value;
  if (list.malformed()) return false;
  out += '{';
  bool is_first = true;
  for (const auto& [key, value] : entries) {
    if (!is_first) out += ',';
    is_first = false;
    out += json_quoted(key);
    out += ':';
    if (!append_json(value, out, depth)) return false;
  }
  out += '}';
  return true;
}

bool append_json(const otlp::ValueView& value, std::string& out, int depth) {
  if (depth > kValueDepthMax) return false;
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      out += "null";
      return true;
    case otlp::ValueKind::kString:
      out += json_quoted(value.text);
      return true;
    case otlp::ValueKind::kBytes:
      out += '"';
      append_base64(out, value.text);
      out += '"';
      return true;
    case otlp::ValueKind::kArray:
      return append_array(value.text, out, depth + 1);
    case otlp::ValueKind::kKvlist:
      return append_map(value.text, out, depth + 1);
    case otlp::ValueKind::kDouble:
      if (!std::isfinite(value.number)) return false;
      [[fallthrough]];
    case otlp::ValueKind::kBool:
    case otlp::ValueKind::kInt:
      append_text(value, out);
      return true;
  }
  return false;
}

}  // namespace

void append_text(const otlp::ValueView& value, std::string& out) {
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      return;
    case otlp::ValueKind::kString:
      out += value.text;
      return;
    case otlp::ValueKind::kBool:
      out += value.boolean ? "true" : "false";
      return;
    case otlp::ValueKind::kInt:
      out += std::to_string(value.integer);
      return;
    case otlp::ValueKind::kDouble:
      if (std::isfinite(value.number)) return append_ecmascript_number(value.number, out);
      out += std::isnan(value.number) ? "NaN" : value.number > 0 ? "Infinity" : "-Infinity";
      return;
    case otlp::ValueKind::kBytes:
      append_base64(out, value.text);
      return;
    case otlp::ValueKind::kArray:
    case otlp::ValueKind::kKvlist: {
      const std::size_t begin = out.size();
      if (!append_json(value, out, 0)) out.resize(begin);
      return;
    }
  }
}

}  // namespace spanway::promseries
