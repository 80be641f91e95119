// Expressions over one span.
#pragma once

#include <functional>

#include "services/lib/base/result.h"
#include "services/query/traceql/ast.h"
#include "services/query/traceql/trace.h"

namespace spanway::query::traceql {

// Single-thread; the trace outlives it.
class FieldEvaluator {
 public:
  explicit FieldEvaluator(const Trace& trace) : trace_(trace) {}
  const Trace& trace() const noexcept { return trace_; }

  // INVALID_ARGUMENT, data, "bad_query" for a division by zero.
  Result<bool> test(const Expr& expr, const Span& span);
  Result<Value> value(const Expr& expr, const Span& span);
  // The first one of an attribute that a span has several times. Nil when it has none.
  Value value(const Attribute& attribute, const Span& span) const;
  // Each value of an attribute that a span may have several times; of others the one.
  void for_each_value(const Attribute& attribute, const Span& span,
                      const std::function<void(const Value&)>& visit) const;

 private:
  // Either a stored value or `scratch`.
  const Value& read(const Expr& expr, const Span& span, Value& scratch);
  const Value& read(const Attribute& attribute, const Span& span, Value& scratch) const;
  const Value* find_unscoped(const std::string& name, const Span& span) const;
  // True when `is_match` is for one of the values; an attribute that is missing has none.
  bool any_value(const Attribute& attribute, const Span& span,
                 const std::function<bool(const Value&)>& is_match) const;
  bool binary(const Expr& expr, const Span& span);
  bool compare(const Expr& expr, const Value& left, const Value& right) const;
  Value unary(const Expr& expr, const Span& span);
  Value calculation(const Expr& expr, const Span& span);
  bool exists(const Expr& operand, const Span& span);

  const Trace& trace_;
  Status status_;
};

}  // namespace spanway::query::traceql
