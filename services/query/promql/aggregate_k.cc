// Aggregations that choose elements of a group: topk, bottomk, limitk, limit_ratio.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/label_hash.h"
#include "services/query/promql/number_text.h"

namespace spanway::query::promql {
namespace {

struct Candidate {
  std::size_t series = 0;
  const Point* point = nullptr;
};

// NaN is the worst for topk and for bottomk.
void keep_best(std::vector<Candidate>& all, std::size_t k, bool is_top) {
  std::stable_sort(all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) {
    const double x = a.point->f;
    const double y = b.point->f;
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return is_top ? x > y : x < y;
  });
  if (all.size() > k) all.resize(k);
}

// A place in [0, 1] that depends on the labels only, as in Prometheus.
double place_of(const Labels& labels) {
  return static_cast<double>(label_hash(labels)) /
         static_cast<double>(std::numeric_limits<std::uint64_t>::max());
}

Status check_parameters(const Expr& expr, const std::vector<double>& parameters,
                        Annotations& notes) {
  const bool has_nan =
      std::any_of(parameters.begin(), parameters.end(), [](double v) { return std::isnan(v); });
  const auto [low, high] = std::minmax_element(parameters.begin(), parameters.end());
  if (expr.op == Token::kLimitRatio) {
    if (has_nan) return evaluation_error("Ratio value is NaN");
    const Position position = unwrapped(*expr.args[1]).position;
    const auto warn = [&](double value, const char* cap) {
      notes.warn("ratio value should be between -1 and 1, got " + print_general(value) +
                     ", capping to " + cap,
                 position);
    };
    if (*high > 1) warn(*high, "1");
    if (*low < -1) warn(*low, "-1");
    return ok_status();
  }
  if (has_nan) return evaluation_error("Parameter value is NaN");
  constexpr double kLimit = 9223372036854774784.0;
  if (*low <= -kLimit)
    return evaluation_error("Scalar value " + print_general(*low) + " underflows int64");
  if (*high >= kLimit)
    return evaluation_error("Scalar value " + print_general(*high) + " overflows int64");
  return ok_status();
}

}  // namespace

Result<Matrix> Evaluator::choose(const Expr& expr, const Matrix& input,
                                 const std::vector<double>& parameters, const Steps& steps) {
  const bool is_ratio = expr.op == Token::kLimitRatio;
  // Without any element to choose, parameters are not checked.
  const bool chooses = std::any_of(parameters.begin(), parameters.end(), [&](double v) {
    return std::isnan(v) || (is_ratio ? v != 0 : v >= 1);
  });
  if (!chooses) return Matrix{};
  SPANWAY_TRY(check_parameters(expr, parameters, annotations_));
  std::map<Labels, std::size_t> positions;
  std::vector<std::size_t> group_of;
  for (const PointSeries& series : input)
    group_of.push_back(positions
                           .try_emplace(expr.without ? without(series.labels, expr.grouping)
                                                     : only(series.labels, expr.grouping),
                                        positions.size())
                           .first->second);
  Matrix result;
  std::map<std::size_t, std::size_t> result_of;  // By series.
  std::vector<std::size_t> next(input.size(), 0);
  std::size_t step_index = 0;
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step, ++step_index) {
    SPANWAY_TRY(source_.check());
    std::vector<std::vector<Candidate>> groups(positions.size());
    const double parameter = parameters[step_index];
    const double k = std::clamp(parameter, 0.0, static_cast<double>(input.size()));
    for (std::size_t i = 0; i < input.size(); ++i) {
      const std::vector<Point>& points = input[i].points;
      if (next[i] >= points.size() || points[next[i]].t != t) continue;
      const Point& point = points[next[i]++];
      std::vector<Candidate>& group = groups[group_of[i]];
      if (is_ratio) {
        const double ratio = std::clamp(parameter, -1.0, 1.0);
        const double place = place_of(input[i].labels);
        if (ratio >= 0 ? place < ratio : place >= 1 + ratio) group.push_back({i, &point});
      } else if (expr.op == Token::kLimitk) {
        if (static_cast<double>(group.size()) + 1 <= k) group.push_back({i, &point});
      } else if (point.h) {
        if (k >= 1)
          annotations_.info(
              "ignored histogram in " + std::string(to_string(expr.op)) + " aggregation",
              expr.position);
      } else {
        group.push_back({i, &point});
      }
    }
    for (std::vector<Candidate>& group : groups) {
      if (expr.op == Token::kTopk || expr.op == Token::kBottomk)
        keep_best(group, static_cast<std::size_t>(k), expr.op == Token::kTopk);
      for (const Candidate& one : group) {
        const auto [found, is_new] = result_of.try_emplace(one.series, result.size());
        if (is_new) result.push_back({input[one.series].labels, {}, input[one.series].drop_name});
        result[found->second].points.push_back({t, one.point->f, one.point->h});
      }
    }
  }
  return result;
}

}  // namespace spanway::query::promql
