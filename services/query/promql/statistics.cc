// Hints of histograms that are read for their count, sum or average.
#include <memory>

#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {
namespace {

// True when the calls above a selector, from near to far, need its count and sum only.
bool needs_statistics_only(const std::vector<const Expr*>& path) {
  bool result = false;
  for (auto one = path.rbegin(); one != path.rend(); ++one) {
    const Expr& expr = **one;
    if (expr.kind == NodeKind::kSubquery || expr.op == Token::kTrimUpper ||
        expr.op == Token::kTrimLower)
      return false;
    if (expr.kind != NodeKind::kCall) continue;
    if (expr.text == "histogram_count" || expr.text == "histogram_sum" ||
        expr.text == "histogram_avg")
      result = true;
    else if (expr.text.starts_with("histogram_"))
      return false;
  }
  return result;
}

}  // namespace

void Evaluator::find_statistics(const Expr& expr, std::vector<const Expr*>& path) {
  if (expr.kind == NodeKind::kSelector && needs_statistics_only(path)) statistics_.insert(&expr);
  path.push_back(&expr);
  for (const ExprPtr& arg : expr.args) find_statistics(*arg, path);
  path.pop_back();
}

void Evaluator::set_hints(const Expr& selector, std::vector<Point>& points) const {
  if (!statistics_.contains(&selector)) return;
  const Histogram* before = nullptr;
  for (Point& point : points) {
    if (!point.h || is_stale(point)) continue;
    if (point.h->hint == Histogram::Hint::kUnknown && before != nullptr) {
      auto copy = std::make_shared<Histogram>(*point.h);
      copy->hint =
          point.h->is_reset_after(*before) ? Histogram::Hint::kReset : Histogram::Hint::kNotReset;
      point.h = std::move(copy);
    }
    before = point.h.get();
  }
}

}  // namespace spanway::query::promql
