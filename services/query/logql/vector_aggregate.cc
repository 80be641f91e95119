// Aggregations over the series of a vector.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "services/query/logql/step_evaluator.h"

namespace spanway::query::logql {
namespace {

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Labels group_of(const Labels& labels, const Grouping& grouping) {
  Labels result;
  for (const auto& label : labels)
    if (is_in(grouping.labels, label.first) != grouping.without &&
        !(grouping.without && label.first == "__name__"))
      result.push_back(label);
  return result;
}

// Every aggregation that has one number for a group, folded.
struct Fold {
  double sum = 0, mean = 0, squares = 0, largest = 0, smallest = 0, count = 0;

  void add(double value) {
    if (count == 0) {
      largest = smallest = value;
    } else {
      if (largest < value || std::isnan(largest)) largest = value;
      if (smallest > value || std::isnan(smallest)) smallest = value;
    }
    ++count;
    sum += value;
    const double delta = value - mean;
    mean += count == 1 ? value : delta / count;
    if (count > 1) squares += delta * (value - mean);
  }

  double result(std::string_view name) const {
    if (name == "sum") return sum;
    if (name == "avg") return mean;
    if (name == "max") return largest;
    if (name == "min") return smallest;
    if (name == "count") return count;
    if (name == "stdvar") return squares / count;
    return std::sqrt(squares / count);
  }
};

class FoldAggregate final : public StepEvaluator {
 public:
  FoldAggregate(const Expr& expr, StepEvaluatorPtr inner) : expr_(expr), inner_(std::move(inner)) {}
  Result<Vector> at(std::int64_t time) override {
    SPANWAY_ASSIGN(const Vector vector, inner_->at(time));
    std::map<Labels, Fold> groups;
    for (const Sample& sample : vector)
      groups[group_of(sample.labels, *expr_.grouping)].add(sample.value);
    Vector result;
    for (const auto& [labels, fold] : groups) result.push_back({labels, fold.result(expr_.name)});
    return result;
  }

 private:
  const Expr& expr_;
  const StepEvaluatorPtr inner_;
};

// topk, bottomk, sort and sort_desc: samples in their order.
class OrderAggregate final : public StepEvaluator {
 public:
  OrderAggregate(const Expr& expr, StepEvaluatorPtr inner)
      : expr_(expr),
        inner_(std::move(inner)),
        is_ascending_(expr.name == "bottomk" || expr.name == "sort") {}
  Result<Vector> at(std::int64_t time) override {
    SPANWAY_ASSIGN(Vector vector, inner_->at(time));
    std::map<Labels, Vector> groups;
    for (Sample& sample : vector)
      groups[group_of(sample.labels, *expr_.grouping)].push_back(std::move(sample));
    Vector result;
    for (auto& [labels, group] : groups) {
      // NaN comes last in either order.
      std::stable_sort(group.begin(), group.end(), [&](const Sample& a, const Sample& b) {
        if (std::isnan(a.value) || std::isnan(b.value))
          return !std::isnan(a.value) && std::isnan(b.value);
        return is_ascending_ ? a.value < b.value : a.value > b.value;
      });
      if (expr_.k > 0 && group.size() > expr_.k) group.resize(expr_.k);
      std::move(group.begin(), group.end(), std::back_inserter(result));
    }
    return result;
  }

 private:
  const Expr& expr_;
  const StepEvaluatorPtr inner_;
  const bool is_ascending_;
};

}  // namespace

Result<StepEvaluatorPtr> make_vector_aggregate(const Expr& expr, StepEvaluatorPtr inner) {
  const bool orders = expr.k > 0 || expr.name == "sort" || expr.name == "sort_desc";
  if (orders) return StepEvaluatorPtr(std::make_unique<OrderAggregate>(expr, std::move(inner)));
  return StepEvaluatorPtr(std::make_unique<FoldAggregate>(expr, std::move(inner)));
}

}  // namespace spanway::query::logql
