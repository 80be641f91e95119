// Values of templates: what is true, and how they are printed.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "services/lib/base/hex.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/go_time.h"
#include "services/query/logql/template_node.h"

namespace spanway::query::logql {
namespace {

std::string type_of(const TemplateValue& value) {
  constexpr const char* kNames[] = {"<nil>", "bool", "int", "float64", "string", "time.Time"};
  return kNames[value.index()];
}

// One verb of a format: its flags and figures.
struct Verb {
  char letter = 'v';
  bool left = false, zero = false, plus = false;
  std::size_t width = 0;
  int precision = -1;
};

std::string pad(std::string text, const Verb& verb) {
  std::size_t length = 0;
  for (const char c : text) length += (c & 0xC0) != 0x80 ? 1 : 0;
  if (length >= verb.width) return text;
  const std::size_t missing = verb.width - length;
  if (verb.left) return text + std::string(missing, ' ');
  if (!verb.zero) return std::string(missing, ' ') + text;
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  return text.substr(0, has_sign ? 1 : 0) + std::string(missing, '0') +
         text.substr(has_sign ? 1 : 0);
}

std::string print_double(double value, const Verb& verb) {
  const auto format = verb.letter == 'e'   ? std::chars_format::scientific
                      : verb.letter == 'g' ? std::chars_format::general
                                           : std::chars_format::fixed;
  if (verb.letter == 'v' || (verb.letter == 'g' && verb.precision < 0)) return print_general(value);
  std::array<char, 512> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value, format,
                                    verb.precision < 0 ? 6 : verb.precision);
  return result.ec == std::errc() ? std::string(text.data(), result.ptr) : print_general(value);
}

std::string print_integer(std::int64_t value, const Verb& verb) {
  const int base = verb.letter == 'x' || verb.letter == 'X' ? 16
                   : verb.letter == 'o'                     ? 8
                   : verb.letter == 'b'                     ? 2
                                                            : 10;
  std::array<char, 80> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value, base);
  std::string out(text.data(), result.ptr);
  if (verb.letter == 'X')
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  return verb.plus && value >= 0 ? "+" + out : out;
}

std::string print_text(const std::string& text, const Verb& verb) {
  if (verb.letter == 'q') return quoted(text);
  if (verb.letter == 'x') return to_hex(text);
  if (verb.precision < 0) return text;
  std::size_t bytes = 0;
  for (int left = verb.precision; bytes < text.size(); ++bytes)
    if ((text[bytes] & 0xC0) != 0x80 && left-- == 0) break;
  return text.substr(0, bytes);
}

std::string print_verb(const TemplateValue& value, const Verb& verb) {
  const std::string_view allowed = std::holds_alternative<std::string>(value)    ? "vsqx"
                                   : std::holds_alternative<std::int64_t>(value) ? "vdxXobc"
                                   : std::holds_alternative<double>(value)       ? "vfFeg"
                                   : std::holds_alternative<bool>(value)         ? "vt"
                                                                                 : "vs";
  if (allowed.find(verb.letter) == allowed.npos)
    return std::string("%!") + verb.letter + "(" + type_of(value) + "=" + print_value(value) + ")";
  if (const auto* text = std::get_if<std::string>(&value))
    return pad(print_text(*text, verb), verb);
  if (const auto* integer = std::get_if<std::int64_t>(&value))
    return pad(print_integer(*integer, verb), verb);
  if (const auto* number = std::get_if<double>(&value))
    return pad(print_double(*number, verb), verb);
  return pad(print_value(value), verb);
}

// Takes a verb behind its '%'.
Verb take_verb(std::string_view& format) {
  Verb verb;
  const auto take_number = [&](std::size_t& out) {
    while (!format.empty() && format[0] >= '0' && format[0] <= '9') {
      out = std::min<std::size_t>(out * 10 + static_cast<std::size_t>(format[0] - '0'), 1000);
      format.remove_prefix(1);
    }
  };
  for (; !format.empty() && std::string_view("-0+# ").find(format[0]) != std::string_view::npos;
       format.remove_prefix(1)) {
    verb.left |= format[0] == '-';
    verb.zero |= format[0] == '0';
    verb.plus |= format[0] == '+';
  }
  take_number(verb.width);
  if (format.starts_with('.')) {
    format.remove_prefix(1);
    std::size_t precision = 0;
    take_number(precision);
    verb.precision = static_cast<int>(std::min<std::size_t>(precision, 100));
  }
  if (format.empty()) {
    verb.letter = '\0';
    return verb;
  }
  verb.letter = format[0];
  format.remove_prefix(1);
  return verb;
}

}  // namespace

bool is_true(const TemplateValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer != 0;
  if (const auto* number = std::get_if<double>(&value)) return *number != 0;
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  return std::holds_alternative<TemplateTime>(value);
}

std::string print_value(const TemplateValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return print_general(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* time = std::get_if<TemplateTime>(&value)) return print_go_time(time->unix_nano);
  return "<no value>";
}

std::string print_formatted(std::string_view format, std::span<const TemplateValue> values) {
  std::string out;
  std::size_t next = 0;
  while (!format.empty()) {
    if (format[0] != '%') {
      out += format[0];
      format.remove_prefix(1);
      continue;
    }
    format.remove_prefix(1);
    const Verb verb = take_verb(format);
    if (verb.letter == '\0')
      out += "%!(NOVERB)";
    else if (verb.letter == '%')
      out.append(1, '%');
    else if (next == values.size())
      out += std::string("%!") + verb.letter + "(MISSING)";
    else
      out += print_verb(values[next++], verb);
  }
  if (next < values.size()) {
    out += "%!(EXTRA ";
    for (std::size_t i = next; i < values.size(); ++i)
      out += (i > next ? ", " : "") + type_of(values[i]) + "=" + print_value(values[i]);
    out += ")";
  }
  return out;
}

}  // namespace spanway::query::logql
