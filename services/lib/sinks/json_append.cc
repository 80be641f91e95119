#include "services/lib/sinks/json_append.h"

#include <array>
#include <charconv>
#include <cmath>

#include "services/lib/base/base64.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/utf8.h"

namespace spanway::sinks {
namespace {

constexpr int kDepthMax = 32;

template <typename T>
void append_chars(Bytes& out, T number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append({text.data(), static_cast<std::size_t>(end - text.data())});
}

void append_base64(Bytes& out, std::string_view bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + base64_bytes(bytes.size()));
  encode_base64(bytes, out.data() + begin);
}

void append_escape(Bytes& out, unsigned char c) {
  switch (c) {
    case '"':
      return out.append("\\\"");
    case '\\':
      return out.append("\\\\");
    case '\n':
      return out.append("\\n");
    case '\r':
      return out.append("\\r");
    case '\t':
      return out.append("\\t");
    default: {
      const std::array<char, 6> text = {
          '\\', 'u', '0', '0', kHexDigits[c >> 4], kHexDigits[c & 15]};
      return out.append({text.data(), text.size()});
    }
  }
}

bool append_json_value(Bytes& out, const otlp::ValueView& value, int depth);

bool append_json_array(Bytes& out, std::string_view encoded, int depth) {
  otlp::ArrayReader array(encoded);
  const char* separator = "[";
  while (auto element = array.next()) {
    out.append(separator);
    separator = ",";
    if (!append_json_value(out, *element, depth + 1)) return false;
  }
  out.append(*separator == '[' ? "[]" : "]");
  return !array.malformed();
}

bool append_json_kvlist(Bytes& out, std::string_view encoded, int depth) {
  otlp::KvlistReader list(encoded);
  const char* separator = "{";
  while (auto entry = list.next()) {
    out.append(separator);
    separator = ",";
    append_json_string(out, entry->key);
    out.append(":");
    if (!append_json_value(out, entry->value, depth + 1)) return false;
  }
  out.append(*separator == '{' ? "{}" : "}");
  return !list.malformed();
}

bool append_json_value(Bytes& out, const otlp::ValueView& value, int depth) {
  if (depth > kDepthMax) return false;
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      out.append("null");
      return true;
    case otlp::ValueKind::kString:
      append_json_string(out, value.text);
      return true;
    case otlp::ValueKind::kDouble:
      if (!std::isfinite(value.number)) {
        out.append("\"");
        append_number(out, value.number);
        out.append("\"");
        return true;
      }
      append_number(out, value.number);
      return true;
    case otlp::ValueKind::kBytes:
      out.append("\"");
      append_base64(out, value.text);
      out.append("\"");
      return true;
    case otlp::ValueKind::kArray:
      return append_json_array(out, value.text, depth);
    case otlp::ValueKind::kKvlist:
      return append_json_kvlist(out, value.text, depth);
    case otlp::ValueKind::kBool:
    case otlp::ValueKind::kInt:
      return append_text(out, value);
  }
  return false;
}

}  // namespace

void append_json_string(Bytes& out, std::string_view text) {
  out.append("\"");
  std::size_t begin = 0;  // The start of the run that is copied unchanged.
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = c < 0x80 ? 1 : decode_utf8(text.substr(i)).length;
    if (length > 1) {
      i += length;
      continue;
    }
    out.append(text.substr(begin, i - begin));
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
    } else {
      append_escape(out, c);
    }
    begin = ++i;
  }
  out.append(text.substr(begin));
  out.append("\"");
}

void append_number(Bytes& out, std::uint64_t number) { append_chars(out, number); }
void append_number(Bytes& out, std::int64_t number) { append_chars(out, number); }
void append_number(Bytes& out, double number) {
  if (std::isfinite(number)) return append_chars(out, number);
  out.append(std::isnan(number) ? "NaN" : (number > 0 ? "Infinity" : "-Infinity"));
}

void append_hex(Bytes& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const std::array<char, 2> text = {kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    out.append({text.data(), text.size()});
  }
}

bool append_json_value(Bytes& out, const otlp::ValueView& value) {
  return append_json_value(out, value, 1);
}

bool append_json_object(Bytes& out, otlp::Attributes attributes) {
  const char* separator = "{";
  for (const otlp::AttributeView& attribute : attributes) {
    out.append(separator);
    separator = ",";
    append_json_string(out, attribute.key);
    out.append(":");
    if (!append_json_value(out, attribute.value)) return false;
  }
  out.append(*separator == '{' ? "{}" : "}");
  return true;
}

bool append_text(Bytes& out, const otlp::ValueView& value) {
  switch (value.kind) {
    case otlp::ValueKind::kEmpty:
      return true;
    case otlp::ValueKind::kString:
      out.append(value.text);
      return true;
    case otlp::ValueKind::kBool:
      out.append(value.boolean ? "true" : "false");
      return true;
    case otlp::ValueKind::kInt:
      append_number(out, value.integer);
      return true;
    case otlp::ValueKind::kDouble:
      append_number(out, value.number);
      return true;
    case otlp::ValueKind::kBytes:
      append_base64(out, value.text);
      return true;
    case otlp::ValueKind::kArray:
    case otlp::ValueKind::kKvlist:
      return append_json_value(out, value);
  }
  return false;
}

}  // namespace spanway::sinks
