// The value of the Date header. For this module only.
#pragma once

#include <string_view>

#include "services/lib/base/clock.h"

namespace spanway::http {

// "Thu, 01 Jan 2026 00:00:00 GMT". Kept per thread and formatted again once a second; valid until
// the next call on the same thread.
std::string_view http_date(const Clock& clock);

}  // namespace spanway::http
