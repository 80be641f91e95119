#include "services/lib/config/bounds.h"

#include <cmath>

#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

std::string bound_text(double bound, BoundsUnit unit) {
  switch (unit) {
    case BoundsUnit::kMilliseconds:
      return format_duration(Duration(static_cast<Duration::rep>(bound * 1e6)));
    case BoundsUnit::kBytes:
      return format_size(ByteSize{static_cast<std::uint64_t>(bound)});
    case BoundsUnit::kNumber:
      break;
  }
  // Whole numbers in full, never as 1e+06.
  if (std::floor(bound) == bound && std::fabs(bound) < 1e15)
    return std::to_string(static_cast<long long>(bound));
  return format_double(bound);
}

}  // namespace

bool within_bounds(double number, const KeyInfo& info) noexcept {
  return number >= info.min && number <= info.max;
}

std::string bounds_text(const KeyInfo& info, BoundsUnit unit) {
  const bool has_min = std::isfinite(info.min);
  const bool has_max = std::isfinite(info.max);
  if (has_min && has_max)
    return "from " + bound_text(info.min, unit) + " to " + bound_text(info.max, unit);
  if (has_min) return "at least " + bound_text(info.min, unit);
  if (has_max) return "at most " + bound_text(info.max, unit);
  return "";
}

}  // namespace spanway::config
