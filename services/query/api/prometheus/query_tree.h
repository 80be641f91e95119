// A parsed query as the JSON of Prometheus's parse_query. Internal to query/api/prometheus.
#pragma once

#include <string>

#include "services/query/promql/ast.h"

namespace spanway::query::prometheus {

// Appends the node and everything below it: {"type":"vectorSelector",..}.
void append_tree(const promql::Expr& expr, std::string& out);

}  // namespace spanway::query::prometheus
