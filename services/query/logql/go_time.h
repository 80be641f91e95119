// Times as Go's time.Format prints them, in UTC. Private to this folder. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::query::logql {

// A layout says how Go's reference time, Mon Jan 2 15:04:05 MST 2006, would be printed.
std::string format_go_time(std::int64_t unix_nano, std::string_view layout);
// As a template prints a time that it does not format.
std::string print_go_time(std::int64_t unix_nano);

}  // namespace spanway::query::logql
