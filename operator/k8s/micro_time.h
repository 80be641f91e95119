// MicroTime of the Kubernetes API.
#pragma once

#include <string>

#include "services/lib/base/clock.h"

namespace spanway::kube {

// "2026-11-21T12:26:28.000250Z": RFC 3339 in UTC, always with six digits.
std::string micro_time_text(SystemTime time);

}  // namespace spanway::kube
