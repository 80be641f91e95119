// The bounds of a key, as numbers and as text.
#pragma once

#include <string>

#include "services/lib/config/binder.h"

namespace spanway::config {

// The number that KeyInfo's bounds are about.
inline double bounded_number(std::int64_t value) noexcept { return static_cast<double>(value); }
inline double bounded_number(std::uint16_t value) noexcept { return value; }
inline double bounded_number(double value) noexcept { return value; }
inline double bounded_number(Duration value) noexcept {
  return static_cast<double>(value.count()) / 1e6;
}
inline double bounded_number(ByteSize value) noexcept { return static_cast<double>(value.bytes); }

enum class BoundsUnit { kNumber, kMilliseconds, kBytes };

bool within_bounds(double number, const KeyInfo& info) noexcept;
// "from 1 to 10", "at least 1", "at most 10" or "".
std::string bounds_text(const KeyInfo& info, BoundsUnit unit);

}  // namespace spanway::config
