// The HTTP status of an error of a query.
#pragma once

#include "services/lib/base/result.h"

namespace spanway::query {

// 400 bad request, 401, 403, 404, 413 too much (narrow the query), 429 too many at once, 503 the
// store is away or late, 501 not with this configuration, 500 for what its operator must fix.
// Stateless.
int http_status_of(const Error& error) noexcept;

// True when the same request may succeed later: the answer has Retry-After.
bool may_retry(int http_status) noexcept;

}  // namespace spanway::query
