#include "services/query/logql/go_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/utf8.h"

namespace spanway::query::logql {
namespace {

constexpr double kNanos = 1e9;
constexpr std::int64_t kMillisecond = 1'000'000, kSecond = 1000 * kMillisecond,
                       kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

Error bad(std::string what) { return invalid_argument(std::move(what)).with_reason("bad_query"); }

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

constexpr std::string_view kEscapeNames = "abfnrtv\\";
constexpr std::string_view kEscaped = "\a\b\f\n\r\t\v\\";

// Digits of an escape after its letter; nothing when they are none.
std::optional<std::uint32_t> digits(std::string_view text, std::size_t begin, std::size_t count,
                                    int base) {
  std::uint32_t value = 0;
  if (begin + count > text.size()) return std::nullopt;
  const auto parsed =
      std::from_chars(text.data() + begin, text.data() + begin + count, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + begin + count) return std::nullopt;
  return value;
}

// The escape at `text[at]`, behind its backslash; false for one that is none.
bool unescape(std::string_view text, std::size_t& at, char quote, std::string& out) {
  const char c = text[at];
  if (const std::size_t name = kEscapeNames.find(c); name != std::string_view::npos) {
    out += kEscaped[name];
    ++at;
    return true;
  }
  if (c == quote) {
    out += c;
    ++at;
    return true;
  }
  const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (count > 0) {
    const auto value = digits(text, at + 1, count, 16);
    if (!value) return false;
    if (c == 'x') {
      out += static_cast<char>(*value);
    } else {
      if (*value > 0x10FFFF || (*value >= 0xD800 && *value < 0xE000)) return false;
      append_utf8(*value, out);
    }
    at += count + 1;
    return true;
  }
  const auto octal = digits(text, at, 3, 8);
  if (!octal || *octal > 255) return false;
  out += static_cast<char>(*octal);
  at += 3;
  return true;
}

std::string print(double value, std::chars_format format) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 1100> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value, format);
  return {text.data(), result.ptr};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> go_unit(std::string_view unit) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
      {"ms", 1e6}, {"s", 1e9},  {"m", 60 * kNanos}, {"h", 3600 * kNanos}};
  for (const auto& [name, nanos] : kUnits)
    if (name == unit) return nanos;
  return std::nullopt;
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char c = text.front();
    const CodePoint point = decode_utf8(text);
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"') {
      out += "\\\"";
    } else if (const std::size_t name = kEscaped.find(c); name != std::string_view::npos) {
      out += '\\';
      out += kEscapeNames[name];
    } else if (byte < 0x20 || byte == 0x7f || point.length == 0) {
      out += "\\x";
      append_hex(out, c);
    } else {
      out += text.substr(0, point.length);
    }
    text.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return out + "\"";
}

Result<std::string> unquote(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return bad("invalid syntax");
  const char quote = literal.front();
  const std::string_view text = literal.substr(1, literal.size() - 2);
  if (quote == '`') return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
    if (++at == text.size() || !unescape(text, at, quote, out)) return bad("invalid syntax");
  }
  return out;
}

Result<double> parse_float(std::string_view text) {
  const auto invalid = [&] {
    return bad("strconv.ParseFloat: parsing " + quoted(text) + ": invalid syntax");
  };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  const std::string word = to_lower(rest);
  double value = 0;
  if (word == "inf" || word == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (word == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (rest.empty() || !(is_digit(rest.front()) || rest.front() == '.')) return invalid();
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (parsed.ptr != rest.data() + rest.size() || parsed.ec == std::errc::invalid_argument)
      return invalid();
    if (parsed.ec == std::errc::result_out_of_range) {
      if (rest.find("e-") == std::string_view::npos && rest.find("E-") == std::string_view::npos)
        return bad("strconv.ParseFloat: parsing " + quoted(text) + ": value out of range");
      value = 0;
    }
  }
  return is_negative ? -value : value;
}

Result<std::int64_t> parse_go_duration(std::string_view text) {
  const auto invalid = [&] { return bad("time: invalid duration " + quoted(text)); };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  if (rest.empty()) return invalid();
  // As integers, so that no nanosecond is lost.
  std::uint64_t total = 0;
  constexpr std::uint64_t kMax = 1ull << 63;
  while (!rest.empty()) {
    std::size_t end = 0;
    while (end < rest.size() && is_digit(rest[end])) ++end;
    const std::string_view integral = rest.substr(0, end);
    std::string_view fraction;
    if (end < rest.size() && rest[end] == '.') {
      const std::size_t begin = ++end;
      while (end < rest.size() && is_digit(rest[end])) ++end;
      fraction = rest.substr(begin, end - begin);
    }
    if (integral.empty() && fraction.empty()) return invalid();
    rest.remove_prefix(end);
    end = 0;
    while (end < rest.size() && !is_digit(rest[end]) && rest[end] != '.') ++end;
    const std::string_view unit = rest.substr(0, end);
    if (unit.empty()) return bad("time: missing unit in duration " + quoted(text));
    const auto nanos = go_unit(unit);
    if (!nanos) return bad("time: unknown unit " + quoted(unit) + " in duration " + quoted(text));
    rest.remove_prefix(end);
    std::uint64_t number = 0;
    if (!integral.empty() &&
        std::from_chars(integral.data(), integral.data() + integral.size(), number).ec !=
            std::errc())
      return invalid();
    const auto scale = static_cast<std::uint64_t>(*nanos);
    if (number > kMax / scale) return invalid();
    number *= scale;
    if (!fraction.empty()) {
      double part = 0;
      const std::string digits_text = "0." + std::string(fraction);
      std::from_chars(digits_text.data(), digits_text.data() + digits_text.size(), part);
      number += static_cast<std::uint64_t>(part * *nanos + 1e-6);
    }
    total += number;
    if (total > kMax) return invalid();
  }
  if (is_negative) return static_cast<std::int64_t>(~total + 1);
  if (total >= kMax) return invalid();
  return static_cast<std::int64_t>(total);
}

Result<std::int64_t> parse_prometheus_duration(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", kMillisecond}, {"s", kSecond},  {"m", kMinute},   {"h", kHour},
      {"d", kDay},          {"w", 7 * kDay}, {"y", 365 * kDay}};
  if (text == "0") return 0;
  if (text.empty()) return bad("empty duration string");
  const auto invalid = [&] { return bad("not a valid duration string: " + quoted(text)); };
  std::string_view rest = text;
  std::int64_t total = 0;
  std::int64_t last_unit = std::numeric_limits<std::int64_t>::max();
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (!is_digit(rest.front()) || parsed.ec != std::errc()) return invalid();
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
    std::size_t end = 0;
    while (end < rest.size() && !is_digit(rest[end])) ++end;
    const std::string_view unit = rest.substr(0, end);
    if (unit.empty()) return invalid();
    const auto found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const auto& one) { return one.first == unit; });
    if (found == std::end(kUnits))
      return bad("unknown unit " + quoted(unit) + " in duration " + quoted(text));
    if (found->second >= last_unit) return invalid();
    last_unit = found->second;
    if (number > std::numeric_limits<std::int64_t>::max() / found->second)
      return bad("duration out of range");
    number *= found->second;
    if (total > std::numeric_limits<std::int64_t>::max() - number)
      return bad("duration out of range");
    total += number;
    rest.remove_prefix(end);
  }
  return total;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::size_t end = 0;
  std::string number;
  for (; end < text.size() && (is_digit(text[end]) || text[end] == '.' || text[end] == ','); ++end)
    if (text[end] != ',') number += text[end];
  SPANWAY_ASSIGN(double value, parse_float(number));
  std::string_view rest = text.substr(end);
  while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
  while (rest.ends_with(' ') || rest.ends_with('\t')) rest.remove_suffix(1);
  const std::string unit = to_lower(rest);
  constexpr std::string_view kPrefixes = "kmgtpe";
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = kPrefixes.find(unit.front());
    const std::string_view tail = std::string_view(unit).substr(1);
    const bool is_binary = tail == "i" || tail == "ib";
    if (power == std::string_view::npos || !(tail.empty() || tail == "b" || is_binary))
      return bad("unhandled size name: " + unit);
    factor = std::pow(is_binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
  }
  value *= factor;
  if (!(value < 18446744073709551616.0)) return bad("too large: " + std::string(text));
  return static_cast<std::uint64_t>(value);
}

std::string print_fixed(double value) { return print(value, std::chars_format::fixed); }

std::string print_general(double value) {
  const double size = std::fabs(value);
  const bool is_fixed = size == 0 || (size >= 1e-4 && size < 1e21) || !std::isfinite(value);
  return print(value, is_fixed ? std::chars_format::fixed : std::chars_format::scientific);
}

std::string print_go_duration(std::int64_t ns) {
  if (ns == 0) return "0s";
  std::string out = ns < 0 ? "-" : "";
  auto rest = static_cast<std::uint64_t>(ns);
  if (ns < 0) rest = ~rest + 1;
  const auto fraction = [](std::uint64_t value, std::uint64_t unit) {
    std::string text = std::to_string(value / unit);
    std::string digits = std::to_string(unit + value % unit).substr(1);
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    return digits.empty() || unit == 1 ? text : text + "." + digits;
  };
  if (rest < kSecond) {
    if (rest < 1000) return out + std::to_string(rest) + "ns";
    if (rest < kMillisecond) return out + fraction(rest, 1000) + "\xc2\xb5s";
    return out + fraction(rest, kMillisecond) + "ms";
  }
  const std::uint64_t hours = rest / kHour;
  const std::uint64_t minutes = rest % kHour / kMinute;
  if (hours > 0) out += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) out += std::to_string(minutes) + "m";
  return out + fraction(rest % kMinute, kSecond) + "s";
}

std::string print_prometheus_duration(std::int64_t ns) {
  std::int64_t rest = ns / kMillisecond;
  if (rest == 0) return "0s";
  std::string out = rest < 0 ? "-" : "";
  rest = std::llabs(rest);
  const auto part = [&](std::string_view unit, std::int64_t nanos, bool exact) {
    const std::int64_t ms = nanos / kMillisecond;
    if (exact && rest % ms != 0) return;
    if (rest / ms > 0) out += std::to_string(rest / ms) + std::string(unit);
    rest %= ms;
  };
  part("y", 365 * kDay, true);
  part("w", 7 * kDay, true);
  part("d", kDay, false);
  part("h", kHour, false);
  part("m", kMinute, false);
  part("s", kSecond, false);
  part("ms", kMillisecond, false);
  return out;
}

std::string print_size(std::uint64_t bytes) {
  if (bytes < 10) return std::to_string(bytes) + "B";
  constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  const auto value = static_cast<double>(bytes);
  const double power = std::floor(std::log(value) / std::log(1000.0));
  const double shown = std::floor(value / std::pow(1000.0, power) * 10 + 0.5) / 10;
  std::array<char, 64> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), shown,
                                    std::chars_format::fixed, shown < 10 ? 1 : 0);
  return std::string(text.data(), result.ptr) +
         std::string(kUnits[static_cast<std::size_t>(power)]);
}

}  // namespace spanway::query::logql
