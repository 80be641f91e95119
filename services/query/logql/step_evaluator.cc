#include "services/query/logql/step_evaluator.h"

#include <utility>

#include "services/query/labels/regex.h"
#include "services/query/logql/template_texts.h"

namespace spanway::query::logql {
namespace {

// Bytes that are held without a report.
constexpr std::size_t kReportBytes = 64u << 10;

class ConstantEvaluator final : public StepEvaluator {
 public:
  explicit ConstantEvaluator(double value) : value_(value) {}
  Result<Vector> at(std::int64_t) override { return Vector{{{}, value_}}; }

 private:
  const double value_;
};

class LabelReplace final : public StepEvaluator {
 public:
  LabelReplace(const Expr& expr, Regex regex, StepEvaluatorPtr inner)
      : expr_(expr), regex_(std::move(regex)), inner_(std::move(inner)) {}
  Result<Vector> at(std::int64_t time) override {
    SPANWAY_ASSIGN(Vector vector, inner_->at(time));
    std::vector<std::string_view> groups;
    for (Sample& sample : vector) {
      const std::string source(value_of(sample.labels, expr_.source_label));
      if (!regex_.find(source, 0, groups)) continue;
      std::string value = expanded(regex_, expr_.replacement, groups);
      std::erase_if(sample.labels,
                    [&](const auto& label) { return label.first == expr_.destination; });
      if (value.empty()) continue;
      const auto place =
          std::find_if(sample.labels.begin(), sample.labels.end(),
                       [&](const auto& label) { return label.first > expr_.destination; });
      sample.labels.emplace(place, expr_.destination, std::move(value));
    }
    return vector;
  }

 private:
  const Expr& expr_;
  const Regex regex_;
  const StepEvaluatorPtr inner_;
};

// The aggregations whose labels a sum around them may limit.
bool takes_grouping(const Expr& range) {
  return !range.grouping &&
         (range.name == "bytes_over_time" || range.name == "bytes_rate" ||
          range.name == "sum_over_time" || range.name == "rate" || range.name == "count_over_time");
}

}  // namespace

Status Holding::add(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ < reported_ + kReportBytes) return {};
  reported_ = bytes_;
  return source_.hold(bytes_);
}

Error evaluation_error(std::string what) {
  return data_error(Code::kFailedPrecondition, std::move(what)).with_reason("bad_evaluation");
}

Result<StepEvaluatorPtr> make_label_replace(const Expr& expr, StepEvaluatorPtr inner) {
  SPANWAY_ASSIGN(Regex regex, Regex::whole("(?-s:" + expr.regex + ")"));
  return StepEvaluatorPtr(std::make_unique<LabelReplace>(expr, std::move(regex), std::move(inner)));
}

Result<StepEvaluatorPtr> make_evaluator(const Expr& expr, const EvaluationParts& parts) {
  switch (expr.kind) {
    case NodeKind::kRangeAggregate:
      return make_range_aggregate(expr, nullptr, parts);
    case NodeKind::kVectorAggregate: {
      const Expr& inner = *expr.args[0];
      if (inner.kind == NodeKind::kRangeAggregate) {
        const bool is_limited = expr.name == "sum" && takes_grouping(inner);
        SPANWAY_ASSIGN(StepEvaluatorPtr range,
                       make_range_aggregate(inner, is_limited ? &*expr.grouping : nullptr, parts));
        return make_vector_aggregate(expr, std::move(range));
      }
      SPANWAY_ASSIGN(StepEvaluatorPtr evaluator, make_evaluator(inner, parts));
      return make_vector_aggregate(expr, std::move(evaluator));
    }
    case NodeKind::kBinary: {
      const Expr& left = *expr.args[0];
      const Expr& right = *expr.args[1];
      if (left.kind == NodeKind::kLiteral) {
        SPANWAY_ASSIGN(StepEvaluatorPtr vector, make_evaluator(right, parts));
        return make_binary_with_number(expr, std::move(vector), left.number, true);
      }
      SPANWAY_ASSIGN(StepEvaluatorPtr first, make_evaluator(left, parts));
      if (right.kind == NodeKind::kLiteral)
        return make_binary_with_number(expr, std::move(first), right.number, false);
      SPANWAY_ASSIGN(StepEvaluatorPtr second, make_evaluator(right, parts));
      return make_binary(expr, std::move(first), std::move(second));
    }
    case NodeKind::kLabelReplace: {
      SPANWAY_ASSIGN(StepEvaluatorPtr inner, make_evaluator(*expr.args[0], parts));
      return make_label_replace(expr, std::move(inner));
    }
    case NodeKind::kVector:
    case NodeKind::kLiteral:
      return StepEvaluatorPtr(std::make_unique<ConstantEvaluator>(expr.number));
    case NodeKind::kLog:
      break;
  }
  return evaluation_error("a selector of logs is no metric");
}

}  // namespace spanway::query::logql
