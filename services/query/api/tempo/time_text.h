// Times and durations as Tempo's parameters have them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spanway::query::tempo {

// Unix nanoseconds of seconds, with a fraction when there is a point, of nanoseconds (more than 10
// digits) or of RFC 3339.
std::optional<std::int64_t> parse_time(std::string_view text);

// As Tempo's: about 240 points in a range, in steps that people read easily.
std::int64_t default_step(std::int64_t range_nanos);

}  // namespace spanway::query::tempo
