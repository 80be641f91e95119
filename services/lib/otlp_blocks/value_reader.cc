#include "services/lib/otlp_blocks/value_reader.h"

#include <charconv>
#include <limits>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/json_reader.h"
#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp_blocks {
namespace {

using otlp::JsonReader;
using otlp::JsonString;
using otlp::ValueKind;
using otlp::ValueView;
using otlp::wire::Writer;

// Fields of AnyValue, and of the lists in it.
constexpr std::uint32_t kString = 1, kBool = 2, kInt = 3, kDouble = 4, kArray = 5, kKvlist = 6,
                        kBytes = 7;
constexpr std::uint32_t kValues = 1, kKey = 1, kValue = 2;
// Each value is at most an object in a list; the outermost object holds attributes.
constexpr std::size_t kJsonDepthMax = otlp::kValueDepthMax + 2;

std::string unescaped(const JsonString& text) {
  if (!text.escaped) return std::string(text.raw);
  std::string out(text.raw.size(), '\0');
  out.resize(JsonReader::unescape(text, out.data()));
  return out;
}

// A value that owns its text.
struct Parsed {
  ValueView view;
  std::string text;
};
void append_parsed(Parsed& value, Bytes& out) {
  value.view.text = value.text;
  append_any_value(value.view, out);
}

bool parse(JsonReader& json, Parsed& out);

bool parse_number(JsonReader& json, ValueView& out) {
  std::string_view digits;
  if (!json.read_number(digits)) return false;
  const char* end = digits.data() + digits.size();
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    out.kind = ValueKind::kInt;
    return std::from_chars(digits.data(), end, out.integer).ec == std::errc();
  }
  out.kind = ValueKind::kDouble;
  return std::from_chars(digits.data(), end, out.number).ec == std::errc();
}

bool parse_array(JsonReader& json, Parsed& out) {
  out.view.kind = ValueKind::kArray;
  Bytes encoded;
  if (!json.open_array()) return false;
  while (json.next_element()) {
    Parsed element;
    if (!parse(json, element)) return false;
    Writer writer(encoded);
    const auto mark = writer.begin(kValues);
    append_parsed(element, encoded);
    writer.end(mark);
  }
  out.text = encoded.view();
  return json.problem() == nullptr;
}

bool parse_marked(std::string_view key, const Parsed& value, Parsed& out) {
  if (value.view.kind != ValueKind::kString) return false;
  if (key == "$bytes") {
    auto bytes = decode_base64(value.text);
    out.view.kind = ValueKind::kBytes;
    if (bytes) out.text = std::move(*bytes);
    return bytes.has_value();
  }
  out.view.kind = ValueKind::kDouble;
  const double infinity = std::numeric_limits<double>::infinity();
  out.view.number = value.text == "NaN"        ? std::numeric_limits<double>::quiet_NaN()
                    : value.text == "Infinity" ? infinity
                                               : -infinity;
  return key == "$double";
}

bool parse_object(JsonReader& json, Parsed& out) {
  out.view.kind = ValueKind::kKvlist;
  Bytes encoded;
  if (!json.open_object()) return false;
  for (JsonString key; json.next_member(key);) {
    std::string name = unescaped(key);
    Parsed value;
    if (!parse(json, value)) return false;
    const bool is_escaped = name.starts_with("$$");
    if (name.starts_with('$') && !is_escaped) {
      if (!parse_marked(name, value, out)) return false;
      continue;
    }
    Writer writer(encoded);
    const auto entry = writer.begin(kValues);
    writer.bytes(kKey, std::string_view(name).substr(is_escaped ? 1 : 0));
    const auto mark = writer.begin(kValue);
    append_parsed(value, encoded);
    writer.end(mark);
    writer.end(entry);
  }
  if (out.view.kind == ValueKind::kKvlist) out.text = encoded.view();
  return json.problem() == nullptr;
}

bool parse(JsonReader& json, Parsed& out) {
  switch (json.peek()) {
    case JsonReader::Next::kObject:
      return parse_object(json, out);
    case JsonReader::Next::kArray:
      return parse_array(json, out);
    case JsonReader::Next::kString: {
      JsonString text;
      out.view.kind = ValueKind::kString;
      if (!json.read_string(text)) return false;
      out.text = unescaped(text);
      return true;
    }
    case JsonReader::Next::kNumber:
      return parse_number(json, out.view);
    case JsonReader::Next::kTrue:
    case JsonReader::Next::kFalse:
      out.view.kind = ValueKind::kBool;
      out.view.boolean = json.peek() == JsonReader::Next::kTrue;
      return json.read_literal();
    case JsonReader::Next::kNull:
      out.view.kind = ValueKind::kEmpty;
      return json.read_literal();
    default:
      return false;
  }
}

}  // namespace

std::string_view ValueReader::keep(std::string text) { return kept_.emplace_back(std::move(text)); }

bool ValueReader::read(std::string_view text, ValueView& value) {
  JsonReader json(text, kJsonDepthMax);
  Parsed parsed;
  if (!parse(json, parsed) || !json.finish()) return false;
  value = parsed.view;
  value.text = keep(std::move(parsed.text));
  return true;
}

bool ValueReader::read(std::string_view text, std::vector<otlp::AttributeView>& attributes) {
  if (text.empty()) return true;
  JsonReader json(text, kJsonDepthMax);
  if (!json.open_object()) return false;
  for (JsonString key; json.next_member(key);) {
    std::string name = unescaped(key);
    if (name.starts_with("$$")) name.erase(0, 1);
    Parsed parsed;
    if (!parse(json, parsed)) return false;
    otlp::AttributeView& attribute = attributes.emplace_back();
    attribute.key = keep(std::move(name));
    attribute.value = parsed.view;
    attribute.value.text = keep(std::move(parsed.text));
  }
  return json.finish();
}

void append_any_value(const ValueView& value, Bytes& out) {
  Writer writer(out);
  switch (value.kind) {
    case ValueKind::kEmpty:
      return;
    case ValueKind::kString:
      return writer.bytes(kString, value.text);
    case ValueKind::kBool:
      return writer.varint(kBool, value.boolean ? 1 : 0);
    case ValueKind::kInt:
      return writer.varint(kInt, static_cast<std::uint64_t>(value.integer));
    case ValueKind::kDouble:
      return writer.real(kDouble, value.number);
    case ValueKind::kArray:
      return writer.bytes(kArray, value.text);
    case ValueKind::kKvlist:
      return writer.bytes(kKvlist, value.text);
    case ValueKind::kBytes:
      return writer.bytes(kBytes, value.text);
  }
}

}  // namespace spanway::otlp_blocks
