#include "services/lib/base/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>

#include "services/lib/base/check.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/utf8.h"

namespace spanway {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// JavaScript takes U+2028 and U+2029 for line ends.
bool needs_escape_in_go(std::uint32_t c) noexcept {
  return c < 0x20 || c == '"' || c == '\\' || c == 0x2028 || c == 0x2029;
}

// And characters that change how the rest of a line is shown, or end it; 0xfeff is one to YAML.
bool needs_escape(std::uint32_t c) noexcept {
  return needs_escape_in_go(c) || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void append_escape(std::string& out, std::uint32_t c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
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
  out += "\\u";
  for (unsigned shift = 16; shift > 0;) out += kHexDigits[c >> (shift -= 4) & 15];
}

template <typename... Form>
void append_number(std::string& out, Form... form) {
  std::array<char, 512> text;  // Holds every double with the decimals of fixed().
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), form...);
  SPANWAY_CHECK(error == std::errc());
  out.append(text.data(), end);
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text, std::size_t bytes_max) {
  std::size_t begin = 0;  // The start of the run that is copied unchanged.
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    const std::size_t length = c.length == 0 ? 1 : c.length;
    const bool over = length > bytes_max - at;
    if (c.length > 0 && !over && !needs_escape(c.value)) {
      at += length;
      continue;
    }
    out.append(text, begin, at - begin);
    if (over) {
      out += "...";
      return;
    }
    if (c.length == 0) {
      out += kReplacement;
    } else {
      append_escape(out, c.value);
    }
    begin = at += length;
  }
  out.append(text, begin);
}

void append_json_escaped_as_go(std::string& out, std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (c.length > 0 && needs_escape_in_go(c.value)) {
      out.append(text, begin, at - begin);
      if (c.value == '\b') {
        out += "\\b";
      } else if (c.value == '\f') {
        out += "\\f";
      } else {
        append_escape(out, c.value);
      }
      begin = at + length;
    }
    at += length;
  }
  out.append(text, begin);
}

std::string json_quoted(std::string_view text, std::size_t bytes_max) {
  std::string out = "\"";
  append_json_escaped(out, text, bytes_max);
  return out += '"';
}

void JsonWriter::before_value() {
  if (depth_ == 0) {
    SPANWAY_CHECK(!comma_);  // One value only.
    return;
  }
  Scope& scope = scopes_[depth_ - 1];
  SPANWAY_CHECK(scope != Scope::kObject);  // A key comes first.
  if (scope == Scope::kKey) {
    scope = Scope::kObject;
  } else if (comma_) {
    out_ += ',';
  }
}

void JsonWriter::begin(Scope scope, char bracket) {
  before_value();
  SPANWAY_CHECK(depth_ < kDepthMax);
  scopes_[depth_++] = scope;
  out_ += bracket;
  comma_ = false;
}

void JsonWriter::end(Scope scope, char bracket) {
  SPANWAY_CHECK(depth_ > 0 && scopes_[depth_ - 1] == scope);
  --depth_;
  out_ += bracket;
  comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  begin(Scope::kObject, '{');
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  end(Scope::kObject, '}');
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  begin(Scope::kArray, '[');
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  end(Scope::kArray, ']');
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  SPANWAY_CHECK(depth_ > 0 && scopes_[depth_ - 1] == Scope::kObject);
  if (comma_) out_ += ',';
  out_ += '"';
  append_json_escaped(out_, name);
  out_ += "\":";
  scopes_[depth_ - 1] = Scope::kKey;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  before_value();
  out_ += '"';
  append_json_escaped(out_, text, text_bytes_max_);
  out_ += '"';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t number) {
  before_value();
  append_number(out_, number);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::integer(std::uint64_t number) {
  before_value();
  append_number(out_, number);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::floating(double number) {
  if (!std::isfinite(number)) return null();
  before_value();
  append_number(out_, number);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::fixed(double number, int decimals) {
  if (!std::isfinite(number)) return null();
  SPANWAY_CHECK(decimals >= 0 && decimals <= 17);
  before_value();
  append_number(out_, number, std::chars_format::fixed, decimals);
  comma_ = true;
  return *this;
}

}  // namespace spanway
