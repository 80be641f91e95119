// Operators on values, whatever span they come from.
#pragma once

#include "services/lib/base/result.h"
#include "services/query/traceql/token.h"
#include "services/query/traceql/value.h"

namespace spanway::query::traceql {

// + - * / % ^ of two numbers: of integers an integer, else a float. Nil when an operand is no
// number. INVALID_ARGUMENT, data, "bad_query" for a division of integers by zero.
Result<Value> calculate(Token op, const Value& left, const Value& right);

// = != < <= > >= and && || of two values that are no arrays. False when the types do not fit.
bool holds(Token op, const Value& left, const Value& right);

// True when an operand of an operator may have that type.
bool is_operand(Token op, Type type);

}  // namespace spanway::query::traceql
