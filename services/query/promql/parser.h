// Text to query.
#pragma once

#include <string_view>

#include "services/lib/base/result.h"
#include "services/query/promql/ast.h"

namespace spanway::query::promql {

struct ParseOptions {
  // Functions, duration expressions, anchored, smoothed, fill: as Prometheus behind a feature flag.
  bool experimental = false;
};

inline constexpr std::size_t kQueryBytesMax = 64u << 10;
// Levels of parentheses, calls and signs; of the tree with chains of operators.
inline constexpr std::size_t kNestingMax = 128;
inline constexpr std::size_t kTreeDepthMax = 1000;

// INVALID_ARGUMENT, data, "bad_query": "1:5: parse error: .." with line and column in bytes, in
// Prometheus's words; or for a query beyond a bound.
Result<ExprPtr> parse(std::string_view query, const ParseOptions& options);

}  // namespace spanway::query::promql
