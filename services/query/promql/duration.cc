#include <array>
#include <limits>
#include <utility>

#include "services/query/promql/lexer.h"

namespace spanway::query::promql {
namespace {

constexpr std::int64_t kDay = 86'400'000;
// From large to small.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> kUnits{{{"y", 365 * kDay},
                                                                           {"w", 7 * kDay},
                                                                           {"d", kDay},
                                                                           {"h", 3'600'000},
                                                                           {"m", 60'000},
                                                                           {"s", 1000},
                                                                           {"ms", 1}}};
// The largest of Go's time.Duration.
constexpr std::int64_t kDurationMax = std::numeric_limits<std::int64_t>::max() / 1'000'000;

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  if (text == "0") return std::int64_t{0};
  const auto bad = [&] { return invalid_argument("not a valid duration string: " + quoted(text)); };
  if (text.empty()) return invalid_argument("empty duration string");
  std::int64_t total = 0;
  std::size_t unit = 0;  // The first one that may come.
  for (std::size_t i = 0; i < text.size();) {
    std::int64_t count = 0;
    const std::size_t first = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      if (count > kDurationMax / 10) return invalid_argument("duration out of range");
      count = count * 10 + (text[i] - '0');
    }
    if (i == first) return bad();
    const std::size_t name = i;
    while (i < text.size() && (text[i] < '0' || text[i] > '9')) ++i;
    const std::string_view word = text.substr(name, i - name);
    while (unit < kUnits.size() && kUnits[unit].first != word) ++unit;
    if (unit == kUnits.size()) return bad();
    if (count > (kDurationMax - total) / kUnits[unit].second)
      return invalid_argument("duration out of range");
    total += count * kUnits[unit++].second;
  }
  return total;
}

std::string print_duration(std::int64_t ms) {
  if (ms == 0) return "0s";
  std::string result;
  for (const auto& [name, size] : kUnits) {
    // Weeks and years only when nothing else is left, as 7d and 365d.
    if ((name == "y" || name == "w") && ms % size != 0) continue;
    if (const std::int64_t count = ms / size; count > 0) {
      result += std::to_string(count) + std::string(name);
      ms -= count * size;
    }
  }
  return result;
}

}  // namespace spanway::query::promql
