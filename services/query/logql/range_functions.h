// Functions of the samples of one series in a range. Private to this folder. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "services/query/logql/ast.h"

namespace spanway::query::logql {

struct Point {
  std::int64_t time = 0;  // Unix nanoseconds.
  double value = 0;
};

// At least one point, by time.
using RangeFunction = double (*)(std::span<const Point> points, const Expr& aggregate);
RangeFunction range_function(std::string_view name);

}  // namespace spanway::query::logql
