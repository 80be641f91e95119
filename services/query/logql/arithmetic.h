// Binary operators on numbers. Private to this folder. Pure; thread-safe.
#pragma once

#include "services/query/logql/token.h"

namespace spanway::query::logql {

// Division by 0 is NaN, as in Loki.
double compute(Token op, double left, double right);
bool compare(Token op, double left, double right);

}  // namespace spanway::query::logql
