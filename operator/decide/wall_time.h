// Times as the Kubernetes API writes them: RFC 3339 in UTC, to the millisecond.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"

namespace spanway::decide {

// "2026-11-21T12:26:28Z", with or without a fraction; nothing for anything else, offsets included
// (the API server writes Z only).
std::optional<SystemTime> parse_wall_time(std::string_view text);
// "2026-11-21T12:26:28.250Z"; the fraction is left out when it is zero.
std::string wall_time_text(std::int64_t unix_ms);
std::int64_t unix_ms(SystemTime time) noexcept;

}  // namespace spanway::decide
