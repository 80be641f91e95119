// A parsed query as the JSON of Prometheus's parse_query. Internal to query/api/prometheus.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/query/promql/ast.h"

namespace spanway::query::prometheus {

// Appends the node and everything below it: {"type":"vectorSelector",..}. UNIMPLEMENTED, data, for
// arithmetic with durations, which Prometheus has no shape for.
Status append_tree(const promql::Expr& expr, std::string& out);

}  // namespace spanway::query::prometheus
