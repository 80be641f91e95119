// Time stamps for people and programs.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/base/clock.h"

namespace spanway {

// "2026-01-01T00:00:00.000Z". Stateless; thread-safe.
std::string to_rfc3339(SystemTime time);
// The same of nanoseconds since 1970.
std::string unix_nano_to_rfc3339(std::int64_t unix_nano);

}  // namespace spanway
