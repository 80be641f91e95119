#include "services/lib/logstreams/value_text.h"

#include <cmath>
#include <map>
#include <string_view>

#include "services/lib/base/base64.h"
#include "services/lib/base/ecmascript_number.h"
#include "services/lib/base/hex.h"

namespace spanway::logstreams {
namespace {

// U+2028 and U+2029, which JavaScript takes for line ends.
bool is_line_separator(std::string_view text, std::size_t at) {
  return text.substr(at).starts_with("\xe2\x80\xa8") || text.substr(at).starts_with("\xe2\x80\xa9");
}

void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out += c;
    return;
  }
  out += "\\u00";
  append_hex(out, c);
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_line_separator(text, i)) {
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      append_escaped(text[i], out);
    }
  }
  out += '"';
}

bool append_json(const otlp::ValueView& value, std::string& out, int depth);

bool append_json_array(std::string_view encoded, std::string& out, int depth) {
  out += '[';
  otlp::ArrayReader array(encoded);
  for (bool first = true; const auto element = array.next(); first = false) {
    if (!first) out += ',';
    if (!append_json(*element, out, depth)) return false;
  }
  out += ']';
  return true;
}

bool append_json_object(std::string_view encoded, std::string& out, int depth) {
  std::map<std::string_view, otlp::ValueView> entries;  // The last of a repeated key wins.
  otlp::KvlistReader list(encoded);
  while (const auto entry = list.next()) entries[entry->key] = entry->value;
  out += '{';
  for (bool first = true; const auto& [key, value] : entries) {
    if (!first) out += ',';
    first = false;
    append_json_string(key, out);
    out += ':';
    if (!append_json(value, out, depth)) return false;
  }
  out += '}';
  return true;
}

// False when JSON has no form for it.
bool append_json(const otlp::ValueView& value, std::string& out, int depth) {
  if (depth > kValueDepthMax) {
    out += "null";
    return true;
  }
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      out += "null";
      return true;
    case otlp::ValueKind::kString:
      append_json_string(value.text, out);
      return true;
    case otlp::ValueKind::kBytes:
      out += '"';
      append_base64(out, value.text);
      out += '"';
      return true;
    case otlp::ValueKind::kDouble:
      if (!std::isfinite(value.number)) return false;
      append_ecmascript_number(value.number, out);
      return true;
    case otlp::ValueKind::kArray:
      return append_json_array(value.text, out, depth + 1);
    case otlp::ValueKind::kKvlist:
      return append_json_object(value.text, out, depth + 1);
    case otlp::ValueKind::kBool:
    case otlp::ValueKind::kInt:
      append_text(value, out);
      return true;
  }
  return false;
}

void append_double(double number, std::string& out) {
  if (std::isfinite(number)) return append_ecmascript_number(number, out);
  out += "json: unsupported value: ";
  out += std::isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
}

}  // namespace

void append_text(const otlp::ValueView& value, std::string& out) {
  const std::size_t before = out.size();
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
      return append_double(value.number, out);
    case otlp::ValueKind::kBytes:
      return append_base64(out, value.text);
    case otlp::ValueKind::kArray:
    case otlp::ValueKind::kKvlist:
      if (!append_json(value, out, 0)) out.resize(before);
      return;
  }
}

}  // namespace spanway::logstreams
