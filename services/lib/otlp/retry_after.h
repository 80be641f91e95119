// The Retry-After header of HTTP (RFC 9110, 10.2.3).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace spanway::otlp {

// No destination may put us to sleep for longer than this.
inline constexpr std::chrono::milliseconds kRetryAfterMax = std::chrono::hours(1);

// Seconds, or an HTTP date against `now`; nothing when it is neither. Between 0 and kRetryAfterMax.
std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view header, std::chrono::system_clock::time_point now);

}  // namespace spanway::otlp
