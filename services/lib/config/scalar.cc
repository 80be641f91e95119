#include "services/lib/config/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "services/lib/base/ascii.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/utf8.h"

namespace spanway::config {
namespace {

constexpr std::size_t kQuotedBytesMax = 64;
// Longer names are not compared: a key of ours is never that long.
constexpr std::size_t kComparedBytesMax = 128;
// Fewer letters begin too many names.
constexpr std::size_t kBeginBytesMin = 3;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first: formatting takes the first that divides.
constexpr std::array<Unit, 6> kDurationUnits{{{"h", 3'600'000'000'000ULL},
                                              {"m", 60'000'000'000ULL},
                                              {"s", 1'000'000'000ULL},
                                              {"ms", 1'000'000ULL},
                                              {"us", 1'000ULL},
                                              {"ns", 1ULL}}};
constexpr std::array<Unit, 5> kSizeUnits{{{"TiB", 1ULL << 40},
                                          {"GiB", 1ULL << 30},
                                          {"MiB", 1ULL << 20},
                                          {"KiB", 1ULL << 10},
                                          {"B", 1ULL}}};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Only digits, no leading zero.
std::optional<std::uint64_t> parse_digits(std::string_view text) noexcept {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text,
                                             const std::array<Unit, N>& units,
                                             std::uint64_t max) noexcept {
  const auto split = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto digits = static_cast<std::size_t>(split - text.begin());
  const auto number = parse_digits(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    if (*number > max / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_with_unit(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units)
    if (value % unit.factor == 0)
      return std::to_string(value / unit.factor) + std::string(unit.name);
  return std::to_string(value);
}

std::string normalised(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != '-' && c != '_' && c != ' ') out += to_lower(c);
  return out;
}

// Insertions, deletions, replacements and transpositions.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<bool> parse_bool(std::string_view text) noexcept {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_int(std::string_view text) noexcept {
  const bool negative = !text.empty() && text[0] == '-';
  if (!parse_digits(text.substr(negative ? 1 : 0))) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  const std::size_t digit = !text.empty() && text[0] == '-' ? 1 : 0;
  // from_chars would take "inf", "nan" and ".5".
  if (digit >= text.size() || !is_digit(text[digit])) return std::nullopt;
  if (text[digit] == '0' && digit + 1 < text.size() && is_digit(text[digit + 1]))
    return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) noexcept {
  if (text == "0") return Duration::zero();
  const auto max = static_cast<std::uint64_t>(Duration::max().count());
  const auto nanos = parse_with_unit(text, kDurationUnits, max);
  if (!nanos) return std::nullopt;
  return Duration(static_cast<Duration::rep>(*nanos));
}

std::optional<ByteSize> parse_size(std::string_view text) noexcept {
  auto bytes = parse_digits(text);
  if (!bytes) bytes = parse_with_unit(text, kSizeUnits, ~std::uint64_t{0});
  if (!bytes) return std::nullopt;
  return ByteSize{*bytes};
}

std::string format_double(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

std::string format_duration(Duration value) {
  const auto nanos = value.count();
  if (nanos == 0) return "0s";
  if (nanos < 0)
    return "-" + format_with_unit(0 - static_cast<std::uint64_t>(nanos), kDurationUnits);
  return format_with_unit(static_cast<std::uint64_t>(nanos), kDurationUnits);
}

std::string format_size(ByteSize value) {
  if (value.bytes == 0) return "0";
  std::string text = format_with_unit(value.bytes, kSizeUnits);
  // Plain bytes are written without a unit.
  if (value.bytes % 1024 != 0) text.pop_back();
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    if (const std::string_view part = trim(text.substr(0, comma)); !part.empty())
      parts.emplace_back(part);
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
      continue;
    }
    out += "\\x";
    append_hex(out, c);
  }
  return out;
}

std::string quote(std::string_view text) {
  if (text.size() <= kQuotedBytesMax) return "'" + escape(text) + "'";
  return "'" + escape(text.substr(0, utf8_prefix(text, kQuotedBytesMax))) + "...'";
}

std::string_view nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kComparedBytesMax) return "";
  const std::string target = normalised(name);
  std::string_view best;
  std::size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    const std::string known = normalised(candidate);
    // "user" for "username" is one mistake, not four letters that are missing.
    const bool is_begin = target.size() >= kBeginBytesMin && known.starts_with(target);
    const std::size_t distance = is_begin ? 1 : edit_distance(target, known);
    if (distance > (std::max(target.size(), known.size()) + 2) / 3) continue;
    if (distance >= std::min(target.size(), known.size())) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string_view near = nearest(name, candidates);
  if (near.empty()) return "";
  return " (did you mean " + quote(near) + "?)";
}

}  // namespace spanway::config
