// Requests of one resource each, out of one request of several. Pure; thread-safe.
#pragma once

#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"

namespace spanway::logstreams {

// One ExportLogsServiceRequest for each resource, in the order of their first appearance; together
// they are as long as `payload`. Nothing when there is one resource at most: the payload is that
// request. Unknown fields of the request itself are left out. Broken framing: INVALID_ARGUMENT,
// data.
Result<std::vector<Bytes>> single_resource_requests(std::string_view payload);

}  // namespace spanway::logstreams
