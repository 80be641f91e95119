#include "services/lib/otlp_blocks/value_json.h"

#include <charconv>
#include <cmath>

#include "services/lib/base/base64.h"
#include "services/lib/base/json_writer.h"

namespace spanway::otlp_blocks {
namespace {

void append_text(std::string_view text, std::string& out) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

bool append_at(const otlp::ValueView& value, std::string& out, int depth);

bool append_array(std::string_view encoded, std::string& out, int depth) {
  out += '[';
  otlp::ArrayReader array(encoded);
  for (bool first = true; const auto element = array.next(); first = false) {
    if (!first) out += ',';
    if (!append_at(*element, out, depth)) return false;
  }
  out += ']';
  return !array.malformed();
}

bool append_list(std::string_view encoded, std::string& out, int depth) {
  out += '{';
  otlp::KvlistReader list(encoded);
  for (bool first = true; const auto entry = list.next(); first = false) {
    if (!first) out += ',';
    append_json_key(entry->key, out);
    if (!append_at(entry->value, out, depth)) return false;
  }
  out += '}';
  return !list.malformed();
}

bool append_at(const otlp::ValueView& value, std::string& out, int depth) {
  if (depth > kValueDepthMax) return false;
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      out += "null";
      return true;
    case otlp::ValueKind::kString:
      append_text(value.text, out);
      return true;
    case otlp::ValueKind::kBool:
      out += value.boolean ? "true" : "false";
      return true;
    case otlp::ValueKind::kInt:
      out += std::to_string(value.integer);
      return true;
    case otlp::ValueKind::kDouble:
      append_json_double(value.number, out);
      return true;
    case otlp::ValueKind::kArray:
      return append_array(value.text, out, depth + 1);
    case otlp::ValueKind::kKvlist:
      return append_list(value.text, out, depth + 1);
    case otlp::ValueKind::kBytes:
      out += "{\"$bytes\":\"";
      append_base64(out, value.text);
      out += "\"}";
      return true;
  }
  return false;
}

}  // namespace

void append_json_key(std::string_view key, std::string& out) {
  out += key.starts_with('$') ? "\"$" : "\"";
  append_json_escaped(out, key);
  out += "\":";
}

void append_json_double(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "{\"$double\":\"";
    out += std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
    out += "\"}";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

bool append_json(const otlp::ValueView& value, std::string& out) {
  return append_at(value, out, 0);
}

bool append_json(otlp::Attributes attributes, std::string& out) {
  if (attributes.empty()) return true;
  out += '{';
  bool first = true;
  for (const otlp::AttributeView& attribute : attributes) {
    if (!first) out += ',';
    first = false;
    append_json_key(attribute.key, out);
    if (!append_at(attribute.value, out, 0)) return false;
  }
  out += '}';
  return true;
}

}  // namespace spanway::otlp_blocks
