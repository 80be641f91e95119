#include "services/query/logql/json_scan.h"

#include <algorithm>
#include <charconv>

#include "services/lib/base/hex.h"
#include "services/lib/base/utf8.h"

namespace spanway::query::logql {
namespace {

constexpr const char* kMalformed = "Malformed JSON error";
constexpr const char* kNoObject =
    "Value "
    "loo"
    "ks like object, but can't find closing '}' symbol";
constexpr const char* kNoArray = "Value is array, but can't find closing ']' symbol";
constexpr const char* kNoString = "Value is string, but can't find closing '\"' symbol";
constexpr const char* kUnknownType = "Unknown value type";
constexpr const char* kBadEscape = "Encountered an invalid escape sequence in a string";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

// Bytes to the closing quote of a string whose opening one is taken; npos without one.
std::size_t string_end(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i;
  }
  return std::string_view::npos;
}

// Bytes of the block that begins with `open`; npos when it does not end.
std::size_t block_bytes(std::string_view text, char open, char close) {
  std::size_t level = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      const std::size_t end = string_end(text.substr(i + 1));
      if (end == text.npos) return text.npos;
      i += end + 1;
    } else if (text[i] == open) {
      ++level;
    } else if (text[i] == close && --level == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// Takes the value at the begin of `text`; what is wrong, or "".
const char* take_value(std::string_view& text, JsonValue& value) {
  skip_spaces(text);
  if (text.empty()) return kMalformed;
  const char first = text.front();
  if (first == '"') {
    const std::size_t end = string_end(text.substr(1));
    if (end == text.npos) return kNoString;
    value = {JsonType::kString, text.substr(1, end)};
    text.remove_prefix(end + 2);
    return "";
  }
  if (first == '{' || first == '[') {
    const bool is_object = first == '{';
    const std::size_t bytes = block_bytes(text, first, is_object ? '}' : ']');
    if (bytes == text.npos) return is_object ? kNoObject : kNoArray;
    value = {is_object ? JsonType::kObject : JsonType::kArray, text.substr(0, bytes)};
    text.remove_prefix(bytes);
    return "";
  }
  const std::size_t end = std::min(text.find_first_of(" \n\r\t,}]"), text.size());
  value.raw = text.substr(0, end);
  if (value.raw == "true" || value.raw == "false")
    value.type = JsonType::kBoolean;
  else if (value.raw == "null")
    value.type = JsonType::kNull;
  else if (is_digit(first) || first == '-')
    value.type = JsonType::kNumber;
  else
    return kUnknownType;
  text.remove_prefix(end);
  return "";
}

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[extra] | code >> (6 * extra));
  for (int i = extra - 1; i >= 0; --i) out += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

std::optional<std::uint32_t> hex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(text[static_cast<std::size_t>(i)]);
    if (digit < 0) return std::nullopt;
    code = code << 4 | static_cast<std::uint32_t>(digit);
  }
  return code;
}

// Takes "uXXXX", with the second half of a pair; false for what is none.
bool take_unicode(std::string_view& text, std::string& out) {
  text.remove_prefix(1);
  auto code = hex4(text);
  if (!code) return false;
  text.remove_prefix(4);
  if (*code >= 0xD800 && *code < 0xE000) {
    const auto low =
        text.size() > 1 && text[0] == '\\' && text[1] == 'u' ? hex4(text.substr(2)) : std::nullopt;
    if (*code >= 0xDC00 || !low || *low < 0xDC00 || *low >= 0xE000) return false;
    code = 0x10000 + ((*code - 0xD800) << 10 | (*low - 0xDC00));
    text.remove_prefix(6);
  }
  append_utf8(*code, out);
  return true;
}

std::optional<std::string> unescaped(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    if (raw.front() != '\\') {
      out += raw.front();
      raw.remove_prefix(1);
      continue;
    }
    raw.remove_prefix(1);
    if (raw.empty()) return std::nullopt;
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (raw.front() == 'u') {
      if (!take_unicode(raw, out)) return std::nullopt;
      continue;
    }
    const std::size_t name = kNames.find(raw.front());
    if (name == kNames.npos) return std::nullopt;
    out += kValues[name];
    raw.remove_prefix(1);
  }
  return out;
}

std::optional<JsonValue> element(std::string_view array, std::size_t index) {
  array.remove_prefix(1);
  for (std::size_t i = 0;; ++i) {
    skip_spaces(array);
    JsonValue value;
    if (array.empty() || array.front() == ']' || *take_value(array, value) != '\0')
      return std::nullopt;
    if (i == index) return value;
    skip_spaces(array);
    if (!array.starts_with(',')) return std::nullopt;
    array.remove_prefix(1);
  }
}

// Takes "name", or "[0]", or "[\"name\"]"; false with what is wrong.
bool take_path_part(std::string_view& text, std::vector<std::string>& path, std::string& error) {
  if (is_letter(text.front())) {
    std::size_t end = 0;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
    path.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    return true;
  }
  if (text.front() != '[') {
    error = std::string("unexpected char ") + text.front();
    return false;
  }
  text.remove_prefix(1);
  skip_spaces(text);
  if (text.starts_with('"')) {
    const std::size_t end = text.find('"', 1);
    if (end != text.npos) {
      path.emplace_back(text.substr(1, end - 1));
      text.remove_prefix(end + 1);
    }
  } else {
    std::size_t end = 0;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end > 0) path.push_back("[" + std::string(text.substr(0, end)) + "]");
    text.remove_prefix(end);
  }
  skip_spaces(text);
  if (!text.starts_with(']')) {
    error = "syntax error: unexpected " +
            (text.empty() ? std::string("$end") : std::string(1, text.front()));
    return false;
  }
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string each_member(std::string_view text, const JsonVisit& visit) {
  skip_spaces(text);
  if (!text.starts_with('{')) return kNoObject;
  text.remove_prefix(1);
  skip_spaces(text);
  if (text.empty()) return kMalformed;
  while (!text.empty()) {
    if (text.front() == '}') return "";
    if (text.front() != '"') return kNoObject;
    const std::size_t end = string_end(text.substr(1));
    if (end == text.npos) return kMalformed;
    const std::string_view raw_key = text.substr(1, end);
    const auto key = unescaped(raw_key);
    if (!key) return kBadEscape;
    text.remove_prefix(end + 2);
    skip_spaces(text);
    if (!text.starts_with(':')) return kMalformed;
    text.remove_prefix(1);
    JsonValue value;
    if (const char* wrong = take_value(text, value); *wrong != '\0') return wrong;
    if (visit(*key, value) == JsonStep::kStop) return "";
    skip_spaces(text);
    if (text.empty()) return kNoArray;
    if (text.front() == '}') return "";
    if (text.front() != ',') return kNoObject;
    text.remove_prefix(1);
    skip_spaces(text);
    if (text.empty()) return kNoArray;
  }
  return kNoObject;
}

std::optional<std::string> json_text(std::string_view raw) {
  auto text = unescaped(raw);
  if (!text || is_valid_utf8(*text)) return text;
  std::string valid;
  for (std::string_view rest = *text; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    valid += point.length == 0 ? std::string_view(" ") : rest.substr(0, point.length);
    rest.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return valid;
}

std::optional<JsonValue> find_json(std::string_view text, const std::vector<std::string>& path) {
  JsonValue value;
  if (*take_value(text, value) != '\0') {
    // The requested part may lie before what is broken.
    value = {JsonType::kObject, text};
    if (!text.starts_with('{')) return std::nullopt;
  }
  for (const std::string& part : path) {
    std::optional<JsonValue> found;
    std::size_t index = 0;
    if (value.type == JsonType::kArray && part.starts_with('[')) {
      std::from_chars(part.data() + 1, part.data() + part.size() - 1, index);
      found = element(value.raw, index);
    } else if (value.type == JsonType::kObject) {
      each_member(value.raw, [&](std::string_view key, const JsonValue& member) {
        if (key != part) return JsonStep::kContinue;
        found = member;
        return JsonStep::kStop;
      });
    }
    if (!found) return std::nullopt;
    value = *found;
  }
  return value;
}

std::optional<std::vector<std::string>> parse_json_path(std::string_view text, std::string& error) {
  std::vector<std::string> path;
  skip_spaces(text);
  while (!text.empty()) {
    if (text.front() == '.' && !path.empty()) {
      text.remove_prefix(1);
      skip_spaces(text);
      if (text.empty() || !is_letter(text.front())) {
        error = "syntax error: unexpected " + (text.empty() ? "$end" : std::string(1, text[0])) +
                ", expecting FIELD";
        return std::nullopt;
      }
    } else if (!path.empty() && text.front() != '[') {
      error = std::string("unexpected char ") + text.front();
      return std::nullopt;
    }
    if (!take_path_part(text, path, error)) return std::nullopt;
    skip_spaces(text);
  }
  if (path.empty()) {
    error = "syntax error: unexpected $end, expecting LSB or FIELD";
    return std::nullopt;
  }
  return path;
}

}  // namespace spanway::query::logql
