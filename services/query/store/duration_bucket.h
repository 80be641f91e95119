// The buckets of durations in rollups, as services/lib/schema/sql/001_spans.sql computes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace spanway::query {

// Bucket i has (2^(i/4), 2^((i+1)/4)] ns, see RedRow::durations.
inline std::int16_t duration_bucket(std::uint64_t duration_ns) noexcept {
  const auto duration = static_cast<double>(std::max<std::uint64_t>(duration_ns, 1));
  return static_cast<std::int16_t>(std::ceil(std::log2(duration) * 4) - 1);
}

}  // namespace spanway::query
