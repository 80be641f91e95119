#include "services/query/api/tempo/time_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "services/query/api/request_values.h"

namespace spanway::query::tempo {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond;

template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text) {
  constexpr std::size_t kSecondsDigits = 10;
  constexpr double kMillis = 1000, kSecondsMax = 9e9;
  if (text.find('.') != std::string_view::npos)
    if (const auto seconds = number_of<double>(text); seconds && std::abs(*seconds) < kSecondsMax)
      return std::llround(*seconds * kMillis) * (kSecond / 1000);
  if (const auto value = number_of<std::int64_t>(text))
    return text.size() <= kSecondsDigits ? *value * kSecond : *value;
  const auto time = parse_rfc3339(text);
  return time && *time >= 0 ? time : std::nullopt;
}

std::int64_t default_step(std::int64_t range_nanos) {
  constexpr std::int64_t kPoints = 240, kShort = kSecond / 20;
  const std::int64_t each = range_nanos / kPoints;
  if (range_nanos < kMinute) return each > kShort ? each / kShort * kShort : kShort;
  for (const std::int64_t step : {60 * kMinute, 5 * kMinute, kMinute, 15 * kSecond, 5 * kSecond})
    if (each > step) return each / step * step;
  return std::max(kSecond, each / kSecond * kSecond);
}

}  // namespace spanway::query::tempo
