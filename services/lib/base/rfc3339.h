// Time stamps for people and programs.
#pragma once

#include <string>

#include "services/lib/base/clock.h"

namespace spanway {

// "2026-01-01T00:00:00.000Z". Stateless; thread-safe.
std::string to_rfc3339(SystemTime time);

}  // namespace spanway
