#include "services/lib/otlp/value_json.h"

#include <charconv>
#include <cmath>
#include <map>

#include "services/lib/base/base64.h"
#include "services/lib/base/ecmascript_number.h"
#include "services/lib/base/json_writer.h"

namespace spanway::otlp {
namespace {

// One walk. Its functions return false when the value cannot be expressed.
class ValueWriter {
 public:
  ValueWriter(bool is_typed, const PlainTextOptions& options, std::string& out)
      : is_typed_(is_typed), options_(options), out_(out) {}

  bool write(const ValueView& value, int depth) {
    if (depth > kValueDepthMax) {
      if (options_.keeps_faulty) out_ += "null";
      return options_.keeps_faulty;
    }
    switch (value.kind) {
      case ValueKind::kEmpty:
        out_ += "null";
        return true;
      case ValueKind::kString:
        write_string(value.text);
        return true;
      case ValueKind::kBool:
        out_ += value.boolean ? "true" : "false";
        return true;
      case ValueKind::kInt:
        out_ += std::to_string(value.integer);
        return true;
      case ValueKind::kDouble:
        return write_double(value.number);
      case ValueKind::kArray:
        return write_array(value.text, depth + 1);
      case ValueKind::kKvlist:
        return is_typed_ ? write_list(value.text, depth + 1)
                         : write_sorted_list(value.text, depth + 1);
      case ValueKind::kBytes:
        out_ += is_typed_ ? "{\"$bytes\":\"" : "\"";
        append_base64(out_, value.text);
        out_ += is_typed_ ? "\"}" : "\"";
        return true;
    }
    return false;
  }

 private:
  void write_string(std::string_view text) {
    out_ += '"';
    if (options_.escapes_as_go) {
      append_json_escaped_as_go(out_, text);
    } else {
      append_json_escaped(out_, text);
    }
    out_ += '"';
  }

  bool write_double(double number) {
    if (is_typed_) {
      append_typed_json_double(number, out_);
      return true;
    }
    if (!std::isfinite(number)) return false;
    append_ecmascript_number(number, out_);
    return true;
  }

  bool write_array(std::string_view encoded, int depth) {
    out_ += '[';
    ArrayReader array(encoded);
    for (bool is_first = true; const auto element = array.next(); is_first = false) {
      if (!is_first) out_ += ',';
      if (!write(*element, depth)) return false;
    }
    out_ += ']';
    return options_.keeps_faulty || !array.malformed();
  }

  bool write_list(std::string_view encoded, int depth) {
    out_ += '{';
    KvlistReader list(encoded);
    for (bool is_first = true; const auto entry = list.next(); is_first = false) {
      if (!is_first) out_ += ',';
      append_typed_json_key(entry->key, out_);
      if (!write(entry->value, depth)) return false;
    }
    out_ += '}';
    return !list.malformed();
  }

  bool write_sorted_list(std::string_view encoded, int depth) {
    std::map<std::string_view, ValueView> entries;  // The last one of a repeated key.
    KvlistReader list(encoded);
    while (const auto entry = list.next()) entries[entry->key] = entry->value;
    if (list.malformed() && !options_.keeps_faulty) return false;
    out_ += '{';
    bool is_first = true;
    for (const auto& [key, value] : entries) {
      if (!is_first) out_ += ',';
      is_first = false;
      write_string(key);
      out_ += ':';
      if (!write(value, depth)) return false;
    }
    out_ += '}';
    return true;
  }

  const bool is_typed_;
  const PlainTextOptions options_;
  std::string& out_;
};

bool write_typed(const ValueView& value, std::string& out) {
  return ValueWriter(true, {}, out).write(value, 0);
}

}  // namespace

void append_typed_json_key(std::string_view key, std::string& out) {
  out += key.starts_with('$') ? "\"$" : "\"";
  append_json_escaped(out, key);
  out += "\":";
}

void append_typed_json_double(double number, std::string& out) {
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

bool append_typed_json(const ValueView& value, std::string& out) { return write_typed(value, out); }

bool append_typed_json(Attributes attributes, std::string& out) {
  if (attributes.empty()) return true;
  out += '{';
  bool is_first = true;
  for (const AttributeView& attribute : attributes) {
    if (!is_first) out += ',';
    is_first = false;
    append_typed_json_key(attribute.key, out);
    if (!write_typed(attribute.value, out)) return false;
  }
  out += '}';
  return true;
}

void append_plain_text(const ValueView& value, std::string& out, const PlainTextOptions& options) {
  switch (value.kind) {
    case ValueKind::kEmpty:
      return;
    case ValueKind::kString:
      out += value.text;
      return;
    case ValueKind::kBytes:
      append_base64(out, value.text);
      return;
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kDouble:
    case ValueKind::kArray:
    case ValueKind::kKvlist: {
      const std::size_t before = out.size();
      if (!ValueWriter(false, options, out).write(value, 0)) out.resize(before);
      return;
    }
  }
}

}  // namespace spanway::otlp
