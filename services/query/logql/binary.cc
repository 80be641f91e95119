// Operators between vectors, and between a vector and a number.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "services/query/logql/arithmetic.h"
#include "services/query/logql/step_evaluator.h"

namespace spanway::query::logql {
namespace {

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The labels by which samples of both sides belong together.
Labels match_labels(const Labels& labels, const Matching& matching) {
  Labels result;
  for (const auto& label : labels)
    if (is_in(matching.labels, label.first) == matching.is_on) result.push_back(label);
  return result;
}

void set_label(Labels& labels, const std::string& name, std::string_view value) {
  std::erase_if(labels, [&](const auto& label) { return label.first == name; });
  if (value.empty()) return;
  const auto place = std::find_if(labels.begin(), labels.end(),
                                  [&](const auto& label) { return label.first > name; });
  labels.emplace(place, name, value);
}

Labels result_labels(const Labels& many, const Labels& one, const Matching& matching) {
  Labels result = matching.card == Cardinality::kOneToOne ? match_labels(many, matching) : many;
  for (const std::string& name : matching.include) set_label(result, name, value_of(one, name));
  return result;
}

// False: the comparison filters the sample out.
bool operate(const Expr& expr, double left, double right, double shown, double& out) {
  if (!is_comparison(expr.op)) {
    out = compute(expr.op, left, right);
    return true;
  }
  const bool holds = compare(expr.op, left, right);
  if (expr.return_bool) {
    out = holds ? 1 : 0;
    return true;
  }
  out = shown;
  return holds;
}

class Binary final : public StepEvaluator {
 public:
  Binary(const Expr& expr, StepEvaluatorPtr left, StepEvaluatorPtr right)
      : expr_(expr), left_(std::move(left)), right_(std::move(right)) {}

  Result<Vector> at(std::int64_t time) override {
    SPANWAY_ASSIGN(Vector right, right_->at(time));
    SPANWAY_ASSIGN(Vector left, left_->at(time));
    if (is_set_operator(expr_.op)) return combine(std::move(left), std::move(right));
    return match(left, right);
  }

 private:
  Vector combine(Vector left, Vector right) const {
    const Vector& known = expr_.op == Token::kOr ? left : right;
    std::set<Labels> groups;
    for (const Sample& sample : known) groups.insert(match_labels(sample.labels, expr_.matching));
    const auto has_match = [&](const Sample& sample) {
      return groups.contains(match_labels(sample.labels, expr_.matching));
    };
    if (expr_.op == Token::kOr) {
      for (Sample& sample : right)
        if (!has_match(sample)) left.push_back(std::move(sample));
      return left;
    }
    std::erase_if(
        left, [&](const Sample& sample) { return has_match(sample) != (expr_.op == Token::kAnd); });
    return left;
  }

  Result<Vector> match(const Vector& left, const Vector& right) const {
    const Matching& matching = expr_.matching;
    const bool is_swapped = matching.card == Cardinality::kOneToMany;
    const Vector& many = is_swapped ? right : left;
    const Vector& one = is_swapped ? left : right;
    std::map<Labels, const Sample*> ones;
    for (const Sample& sample : one)
      if (!ones.try_emplace(match_labels(sample.labels, matching), &sample).second)
        return evaluation_error(std::string("found duplicate series on the ") +
                                (is_swapped ? "left" : "right") +
                                " hand-side;many-to-many matching not allowed: matching labels "
                                "must be unique on one side");
    std::map<Labels, std::set<Labels>> matched;
    Vector result;
    for (const Sample& sample : many) {
      const auto found = ones.find(match_labels(sample.labels, matching));
      if (found == ones.end()) continue;
      Sample out{result_labels(sample.labels, found->second->labels, matching), 0};
      std::set<Labels>& seen = matched[found->first];
      if (matching.card == Cardinality::kOneToOne && !seen.empty())
        return evaluation_error(
            "multiple matches for labels: many-to-one matching must be explicit "
            "(group_left/group_right)");
      if (!seen.insert(out.labels).second)
        return evaluation_error(
            "multiple matches for labels: grouping labels must ensure unique matches");
      const double a = is_swapped ? found->second->value : sample.value;
      const double b = is_swapped ? sample.value : found->second->value;
      if (operate(expr_, a, b, a, out.value)) result.push_back(std::move(out));
    }
    return result;
  }

  const Expr& expr_;
  const StepEvaluatorPtr left_, right_;
};

class BinaryWithNumber final : public StepEvaluator {
 public:
  BinaryWithNumber(const Expr& expr, StepEvaluatorPtr vector, double number, bool number_is_left)
      : expr_(expr), vector_(std::move(vector)), number_(number), is_left_(number_is_left) {}
  Result<Vector> at(std::int64_t time) override {
    SPANWAY_ASSIGN(Vector vector, vector_->at(time));
    Vector result;
    for (Sample& sample : vector) {
      const double own = sample.value;
      if (operate(expr_, is_left_ ? number_ : own, is_left_ ? own : number_, own, sample.value))
        result.push_back(std::move(sample));
    }
    return result;
  }

 private:
  const Expr& expr_;
  const StepEvaluatorPtr vector_;
  const double number_;
  const bool is_left_;
};

}  // namespace

Result<StepEvaluatorPtr> make_binary(const Expr& expr, StepEvaluatorPtr left,
                                     StepEvaluatorPtr right) {
  return StepEvaluatorPtr(std::make_unique<Binary>(expr, std::move(left), std::move(right)));
}

Result<StepEvaluatorPtr> make_binary_with_number(const Expr& expr, StepEvaluatorPtr vector,
                                                 double number, bool number_is_left) {
  return StepEvaluatorPtr(
      std::make_unique<BinaryWithNumber>(expr, std::move(vector), number, number_is_left));
}

}  // namespace spanway::query::logql
