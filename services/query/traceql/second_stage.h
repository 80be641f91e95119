// From series to series: topk, bottomk, comparisons, arithmetic.
#pragma once

#include <vector>

#include "services/query/traceql/ast.h"
#include "services/query/traceql/series.h"

namespace spanway::query::traceql {

// Stateless.
std::vector<Series> apply(const SecondStage& stage, std::vector<Series> input);

// left op right for series of equal labels (but __name__, in the same order); a series without
// labels is combined with each of the other side.
std::vector<Series> combine(Token op, const std::vector<Series>& left,
                            const std::vector<Series>& right);

}  // namespace spanway::query::traceql
