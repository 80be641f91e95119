// Text to query.
#pragma once

#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/logql/ast.h"

namespace spanway::query::logql {

inline constexpr std::size_t kQueryBytesMax = 128u << 10;
// Levels of parentheses, calls and filters; of the tree with chains of operators.
inline constexpr std::size_t kNestingMax = 128;
inline constexpr std::size_t kTreeDepthMax = 1000;

// INVALID_ARGUMENT, data, "bad_query": "parse error at line 1, col 5: ..", or "parse error : .."
// for what is found after the text has been read, in Loki's words; or for a query beyond a bound.
Result<ExprPtr> parse(std::string_view query);
// A selector without a pipeline, which may match every stream: for labels, series and volume.
Result<std::vector<LabelMatcher>> parse_matchers(std::string_view query);

Error parse_error(std::string_view what, Position position = {});
// Checks what the grammar leaves open: matchers, arguments, regexes.
Status validate(const Expr& expr);
Status validate_stages(const LogSelector& selector);

}  // namespace spanway::query::logql
