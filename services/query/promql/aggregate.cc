// Aggregations that fold a group into one element.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/number_text.h"

namespace spanway::query::promql {
namespace {

// One group at one step.
struct Group {
  bool seen = false;
  bool has_number = false;
  bool is_incompatible = false;
  bool is_incremental = false;  // The mean, once the sum would overflow.
  bool saw_reset = false;
  bool saw_no_reset = false;
  double value = 0;
  double lost = 0;
  double mean = 0;
  double count = 0;
  std::shared_ptr<Histogram> histogram;
  Histogram histogram_lost;
  std::vector<double> values;  // quantile.
};

bool takes_histograms(Token op) {
  return op == Token::kSum || op == Token::kAvg || op == Token::kCount || op == Token::kGroup;
}

void fold_number(Token op, Group& group, double f) {
  const bool is_first = !group.seen;
  group.count += 1;
  switch (op) {
    case Token::kSum:
      if (is_first || !group.has_number) {
        group.value = f;
        group.lost = 0;
      } else {
        kahan_add(f, group.value, group.lost);
      }
      break;
    case Token::kAvg: {
      if (!group.has_number) {
        group.value = f;
        break;
      }
      if (!group.is_incremental) {
        double next = group.value;
        double lost = group.lost;
        kahan_add(f, next, lost);
        if (!std::isinf(next)) {
          group.value = next;
          group.lost = lost;
          break;
        }
        group.is_incremental = true;
        group.value /= group.count - 1;
        group.lost /= group.count - 1;
      }
      const double q = (group.count - 1) / group.count;
      group.value *= q;
      group.lost *= q;
      kahan_add(f / group.count, group.value, group.lost);
      break;
    }
    case Token::kMax:
      if (is_first || group.value < f || std::isnan(group.value)) group.value = f;
      break;
    case Token::kMin:
      if (is_first || group.value > f || std::isnan(group.value)) group.value = f;
      break;
    case Token::kStdvar:
    case Token::kStddev:
      if (is_first) {
        group.mean = f;
        group.value = std::isfinite(f) ? 0 : std::numeric_limits<double>::quiet_NaN();
      } else {
        const double distance = f - group.mean;
        group.mean += distance / group.count;
        group.value += distance * (f - group.mean);
      }
      break;
    case Token::kQuantile:
      group.values.push_back(f);
      break;
    default:
      break;
  }
  group.has_number = true;
  group.seen = true;
}

AddOutcome fold_histogram(Token op, Group& group, const Histogram& h) {
  group.count += 1;
  group.seen = true;
  group.saw_reset |= h.hint == Histogram::Hint::kReset;
  group.saw_no_reset |= h.hint == Histogram::Hint::kNotReset;
  if (!group.histogram) {
    group.histogram = std::make_shared<Histogram>(h);
    group.histogram_lost = Histogram{};
    group.histogram_lost.schema = h.schema;
    group.histogram_lost.zero_threshold = h.zero_threshold;
    group.histogram_lost.custom_bounds = h.custom_bounds;
    return {};
  }
  if (!group.is_incremental) {
    Histogram next = *group.histogram;
    Histogram lost = group.histogram_lost;
    const AddOutcome outcome = add(next, h, &lost);
    if (outcome.incompatible) return outcome;
    if (op == Token::kSum || !next.has_overflow()) {
      *group.histogram = std::move(next);
      group.histogram_lost = std::move(lost);
      return outcome;
    }
    group.is_incremental = true;
    group.histogram->divide(group.count - 1);
    group.histogram_lost.divide(group.count - 1);
  }
  const double q = (group.count - 1) / group.count;
  Histogram part = h;
  part.divide(group.count);
  group.histogram->multiply(q);
  group.histogram_lost.multiply(q);
  return add(*group.histogram, part, &group.histogram_lost);
}

double number_result(Token op, Group& group, double parameter) {
  switch (op) {
    case Token::kSum:
      return group.value + group.lost;
    case Token::kAvg:
      return group.is_incremental ? group.value + group.lost
                                  : group.value / group.count + group.lost / group.count;
    case Token::kCount:
      return group.count;
    case Token::kGroup:
      return 1;
    case Token::kStdvar:
      return group.value / group.count;
    case Token::kStddev:
      return std::sqrt(group.value / group.count);
    case Token::kQuantile:
      return quantile(parameter, std::move(group.values));
    default:
      return group.value;
  }
}

HistogramPtr histogram_result(Token op, Group& group) {
  if (op == Token::kAvg && !group.is_incremental) {
    group.histogram->divide(group.count);
    group.histogram_lost.divide(group.count);
  }
  group.histogram_lost.hint = group.histogram->hint;
  add(*group.histogram, group.histogram_lost);
  group.histogram->compact();
  return group.histogram;
}

Labels group_labels(const Expr& expr, const Labels& labels) {
  return expr.without ? without(labels, expr.grouping) : only(labels, expr.grouping);
}

}  // namespace

Result<Matrix> Evaluator::aggregate(const Expr& expr, const Steps& steps) {
  if (expr.op == Token::kCountValues) return count_values(expr, steps);
  std::vector<double> parameters(steps.count(), 0);
  if (has_parameter(expr.op)) {
    SPANWAY_ASSIGN(const Matrix values, evaluate(*expr.args[1], steps));
    for (std::size_t i = 0; i < parameters.size() && !values.empty(); ++i)
      parameters[i] = values[0].points[i].f;
  }
  SPANWAY_ASSIGN(const Matrix input, evaluate(*expr.args[0], steps));
  switch (expr.op) {
    case Token::kTopk:
    case Token::kBottomk:
    case Token::kLimitk:
    case Token::kLimitRatio:
      return choose(expr, input, parameters, steps);
    default:
      return fold(expr, input, parameters, steps);
  }
}

Result<Matrix> Evaluator::fold(const Expr& expr, const Matrix& input,
                               const std::vector<double>& parameters, const Steps& steps) {
  const Token op = expr.op;
  const Position position = unwrapped(*expr.args[0]).position;
  if (op == Token::kQuantile)
    for (const double q : parameters)
      if (std::isnan(q) || q < 0 || q > 1)
        annotations_.warn("quantile value should be between 0 and 1, got " + print_general(q),
                          unwrapped(*expr.args[1]).position);
  Matrix result;
  std::map<Labels, std::size_t> positions;
  std::vector<std::size_t> group_of;
  for (const PointSeries& series : input) {
    Labels labels = group_labels(expr, series.labels);
    const auto [found, is_new] = positions.try_emplace(labels, result.size());
    if (is_new) result.push_back({std::move(labels), {}, false});
    group_of.push_back(found->second);
    result[found->second].drop_name |= series.drop_name;
  }
  std::vector<std::size_t> next(input.size(), 0);
  std::size_t step_index = 0;
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step, ++step_index) {
    SPANWAY_TRY(source_.check());
    std::vector<Group> groups(result.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
      const std::vector<Point>& points = input[i].points;
      if (next[i] >= points.size() || points[next[i]].t != t) continue;
      const Point& point = points[next[i]++];
      Group& group = groups[group_of[i]];
      if (!point.h) {
        if (!group.is_incompatible) fold_number(op, group, point.f);
        continue;
      }
      if (!takes_histograms(op)) {
        annotations_.info("ignored histogram in " + std::string(to_string(op)) + " aggregation",
                          position);
        continue;
      }
      if (op == Token::kCount || op == Token::kGroup) {
        group.count += 1;
        group.seen = true;
        continue;
      }
      if (group.is_incompatible) continue;
      const AddOutcome outcome = fold_histogram(op, group, *point.h);
      if (outcome.incompatible)
        annotations_.warn(mixed_schemas(metric_name(input[i].labels)), position);
      if (outcome.bounds_reconciled) annotations_.info(reconciled("aggregation"), position);
      group.is_incompatible = outcome.incompatible;
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Group& group = groups[g];
      if (!group.seen) continue;
      if (group.histogram && group.has_number) {
        annotations_.warn("encountered a mix of histograms and floats for aggregation", position);
        continue;
      }
      if (group.is_incompatible) continue;
      if (group.saw_reset && group.saw_no_reset)
        annotations_.warn("conflicting counter resets during histogram aggregation", position);
      if (group.histogram)
        result[g].points.push_back({t, 0, histogram_result(op, group)});
      else
        result[g].points.push_back({t, number_result(op, group, parameters[step_index])});
    }
  }
  std::erase_if(result, [](const PointSeries& series) { return series.points.empty(); });
  return result;
}

Result<Matrix> Evaluator::count_values(const Expr& expr, const Steps& steps) {
  const std::string& label = unwrapped(*expr.args[1]).text;
  if (!is_label_name(label)) return evaluation_error("invalid label name " + quoted(label));
  std::vector<std::string> grouping = expr.grouping;
  if (!expr.without) grouping.push_back(label);
  SPANWAY_ASSIGN(Matrix input, evaluate(*expr.args[0], steps));
  std::vector<Matrix> inputs;
  inputs.push_back(std::move(input));
  return each_step(std::move(inputs), steps, [&](const Inputs& v, std::int64_t) -> Result<Vector> {
    std::map<Labels, double> counts;
    for (const Element& element : v[0]) {
      Labels labels = element.labels;
      set_label(labels, label, element.h ? to_string(*element.h) : print_fixed(element.f));
      counts[expr.without ? without(labels, grouping) : only(labels, grouping)] += 1;
    }
    Vector result;
    for (const auto& [labels, count] : counts) result.push_back({labels, count, nullptr, false});
    return result;
  });
}

}  // namespace spanway::query::promql
