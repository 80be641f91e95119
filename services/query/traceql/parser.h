// Text to query.
#pragma once

#include <string_view>

#include "services/lib/base/result.h"
#include "services/query/traceql/ast.h"

namespace spanway::query::traceql {

inline constexpr std::size_t kQueryBytesMax = 64u << 10;
// Levels of parentheses and signs; of the tree with chains of operators.
inline constexpr std::size_t kNestingMax = 128;
inline constexpr std::size_t kTreeDepthMax = 1000;
// Attributes of by() of a metrics function, as in Tempo.
inline constexpr std::size_t kGroupByMax = 5;

// Grammar and types. Errors begin with "parse error at line 1, col 5: " (bytes). INVALID_ARGUMENT,
// data, "bad_query" for a text that is no query; UNIMPLEMENTED, data, "bad_query" for one that
// Tempo's grammar has and its engine refuses, too.
Result<Query> parse(std::string_view query);

}  // namespace spanway::query::traceql
