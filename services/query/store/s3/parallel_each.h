// A loop on several threads. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <functional>

#include "services/lib/base/result.h"

namespace spanway::query {

// Calls `visit` once for each number below `count`, on at most `threads` threads of its own, or on
// the calling one when that is all. Returns when all calls have returned: the first error, after
// which no call begins.
Status parallel_each(std::size_t count, std::size_t threads,
                     const std::function<Status(std::size_t)>& visit);

}  // namespace spanway::query
