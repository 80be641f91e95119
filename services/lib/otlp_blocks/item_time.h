// Times of items as columns keep them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace spanway::otlp_blocks {

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
inline constexpr std::int64_t kSecondsPerDay = 86'400;
// The end of 2105-01-01: every TTL of the schema still fits the server's 32 bits of seconds.
inline constexpr std::int64_t kTimeMax = 49'309 * kSecondsPerDay * kNanosPerSecond - 1;

// Later times, of clocks that are wrong, become the last one that can be stored.
constexpr std::int64_t clamped_time(std::uint64_t unix_nano) noexcept {
  return static_cast<std::int64_t>(std::min(unix_nano, static_cast<std::uint64_t>(kTimeMax)));
}
// Both take a clamped time.
constexpr std::uint32_t seconds_of(std::int64_t time) noexcept {
  return static_cast<std::uint32_t>(time / kNanosPerSecond);
}
constexpr std::int32_t day_of(std::int64_t time) noexcept {
  return static_cast<std::int32_t>(time / kNanosPerSecond / kSecondsPerDay);
}

}  // namespace spanway::otlp_blocks
