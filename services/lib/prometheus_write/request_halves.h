// Divides a request of remote write 1.0, of which receivers store all or nothing.
#pragma once

#include <array>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"

namespace spanway::prometheus_write {

// The body of a kV1 request with two or more entries as two, with its entries in their order. The
// first has its metadata. INTERNAL, unknown: `body` is no such request. Pure; thread-safe.
Result<std::array<Bytes, 2>> halves_of(std::string_view body);

}  // namespace spanway::prometheus_write
