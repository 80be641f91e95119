#include "services/query/traceql/pipeline_evaluator.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "services/query/traceql/arithmetic.h"

namespace spanway::query::traceql {
namespace {

SpanSet all_spans(const std::vector<FoundSpans>& sets) {
  SpanSet result;
  for (const FoundSpans& set : sets) result = union_of(result, set.spans);
  return result;
}

// Values of another type than the first are left out, as in Tempo.
void add(Value& sum, const Value& value) {
  if (sum.type != value.type) return;
  sum.integer = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum.integer) +
                                          static_cast<std::uint64_t>(value.integer));
  sum.number += value.number;
}

Value divided(const Value& sum, std::int64_t count) {
  if (sum.type == Type::kDuration) return Value::of_duration(sum.integer / count);
  if (!is_numeric(sum.type)) return sum;
  return Value::of_float(sum.as_number() / static_cast<double>(count));
}

}  // namespace

Result<std::vector<FoundSpans>> PipelineEvaluator::run(const Expr& expr) {
  FoundSpans all;
  all.spans.resize(trace_.spans.size());
  std::iota(all.spans.begin(), all.spans.end(), 0u);
  if (all.spans.empty()) return Sets();
  return element(expr, {std::move(all)});
}

Result<std::vector<FoundSpans>> PipelineEvaluator::element(const Expr& expr, const Sets& input) {
  switch (expr.kind) {
    case NodeKind::kPipeline:
      return pipeline(expr, input);
    case NodeKind::kFilter:
      return filter(expr, input);
    case NodeKind::kSpansetBinary:
      return binary(expr, input);
    case NodeKind::kGroup:
      return group(expr, input);
    case NodeKind::kScalarFilter:
      return scalar_filter(expr, input);
    case NodeKind::kCoalesce: {
      Sets result(1);
      result[0].spans = all_spans(input);
      return result;
    }
    default:  // select() changes what is shown only.
      return input;
  }
}

Result<std::vector<FoundSpans>> PipelineEvaluator::pipeline(const Expr& expr, Sets input) {
  for (const ExprPtr& one : expr.args) {
    SPANWAY_ASSIGN(input, element(*one, input));
    if (input.empty()) break;
  }
  return input;
}

Result<std::vector<FoundSpans>> PipelineEvaluator::filter(const Expr& expr, const Sets& input) {
  Sets result;
  for (const FoundSpans& set : input) {
    FoundSpans kept;
    for (const std::uint32_t i : set.spans) {
      SPANWAY_ASSIGN(const bool is_match, fields_.test(*expr.args[0], trace_.spans[i]));
      if (is_match) kept.spans.push_back(i);
    }
    if (kept.spans.empty()) continue;
    kept.attributes = set.attributes;
    kept.scalar = set.scalar;
    result.push_back(std::move(kept));
  }
  return result;
}

Result<std::vector<FoundSpans>> PipelineEvaluator::binary(const Expr& expr, const Sets& input) {
  Sets result;
  for (const FoundSpans& set : input) {
    SPANWAY_ASSIGN(const Sets left, element(*expr.args[0], {set}));
    SPANWAY_ASSIGN(const Sets right, element(*expr.args[1], {set}));
    FoundSpans found = set;
    found.spans.clear();
    if (expr.op == Token::kAnd || expr.op == Token::kOr) {
      if (expr.op == Token::kOr || (!left.empty() && !right.empty()))
        found.spans = union_of(all_spans(left), all_spans(right));
    } else if (!right.empty()) {
      if (left.size() > 1 || right.size() > 1)
        return invalid_argument(
                   "spanset operators are not supported for multiple spansets per trace. consider "
                   "using coalesce()")
            .with_reason("bad_query");
      found.spans = related(trace_, expr.op, all_spans(left), right[0].spans);
    }
    if (!found.spans.empty()) result.push_back(std::move(found));
  }
  return result;
}

Result<std::vector<FoundSpans>> PipelineEvaluator::group(const Expr& expr, const Sets& input) {
  const std::string name = to_string(expr);
  Sets result;
  for (const FoundSpans& set : input) {
    std::map<Value, std::size_t, KeyLess> groups;  // To the position in `result`.
    for (const std::uint32_t i : set.spans) {
      SPANWAY_ASSIGN(const Value key, fields_.value(*expr.args[0], trace_.spans[i]));
      const auto [found, is_new] = groups.emplace(key, result.size());
      if (is_new) {
        result.emplace_back().attributes = set.attributes;
        result.back().attributes.emplace_back(name, key);
      }
      result[found->second].spans.push_back(i);
    }
  }
  return result;
}

Result<Value> PipelineEvaluator::aggregate(const Expr& expr, const SpanSet& spans) {
  if (expr.function == Aggregate::kCount)
    return Value::of_int(static_cast<std::int64_t>(spans.size()));
  Value result;
  std::int64_t count = 0;
  for (const std::uint32_t i : spans) {
    SPANWAY_ASSIGN(const Value value, fields_.value(*expr.args[0], trace_.spans[i]));
    if (value.is_nil()) continue;
    ++count;
    if (result.is_nil() || (expr.function == Aggregate::kMax && compare(value, result) > 0) ||
        (expr.function == Aggregate::kMin && compare(value, result) < 0))
      result = value;
    else if (expr.function == Aggregate::kSum || expr.function == Aggregate::kAvg)
      add(result, value);
  }
  return expr.function == Aggregate::kAvg && count > 0 ? divided(result, count) : result;
}

Result<std::vector<FoundSpans>> PipelineEvaluator::scalar_filter(const Expr& expr,
                                                                 const Sets& input) {
  const Expr& function = *expr.args[0];
  const std::string name = to_string(function);
  Sets result;
  for (const FoundSpans& set : input) {
    SPANWAY_ASSIGN(Value scalar, aggregate(function, set.spans));
    if (scalar.is_nil() || !holds(expr.op, scalar, expr.args[1]->value)) continue;
    FoundSpans kept = set;
    kept.attributes.emplace_back(name, scalar);
    kept.scalar = std::move(scalar);
    result.push_back(std::move(kept));
  }
  return result;
}

}  // namespace spanway::query::traceql
