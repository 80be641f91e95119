// Functions of histograms, classic and native.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <utility>

#include "services/query/promql/classic_histogram.h"
#include "services/query/promql/evaluator.h"
#include "services/query/promql/functions.h"
#include "services/query/promql/native_quantile.h"
#include "services/query/promql/number_text.h"

namespace spanway::query::promql {
namespace {

struct Classic {
  Labels labels;  // Without le.
  std::vector<ClassicBucket> buckets;
};

struct Split {
  std::vector<Classic> classic;
  Vector native;
};

bool parse_bound(std::string_view text, double& bound) {
  const std::string copy(text);
  char* end = nullptr;
  bound = std::strtod(copy.c_str(), &end);
  return !copy.empty() && end == copy.c_str() + copy.size();
}

std::string named(const char* text, std::string_view name) { return for_metric(text, name); }

Split split(const Vector& input, bool has_names, Position position, Annotations& notes) {
  Split result;
  std::map<Labels, std::size_t> positions;
  for (const Element& element : input) {
    if (element.h) {
      result.native.push_back(element);
      continue;
    }
    const std::string_view name = has_names ? metric_name(element.labels) : std::string_view();
    const std::string_view bound_text = value_of(element.labels, "le");
    double bound = 0;
    if (!parse_bound(bound_text, bound)) {
      notes.warn(for_metric("bucket label \"le\" is missing or has a malformed value of " +
                                quoted(bound_text),
                            name),
                 position);
      continue;
    }
    Labels labels = element.labels;
    set_label(labels, "le", "");
    const auto [found, is_new] = positions.try_emplace(labels, result.classic.size());
    if (is_new) result.classic.push_back({labels, {}});
    result.classic[found->second].buckets.push_back({bound, element.f});
  }
  std::erase_if(result.native, [&](const Element& element) {
    const auto found = positions.find(element.labels);
    if (found == positions.end()) return false;
    const std::string_view name = has_names ? metric_name(element.labels) : std::string_view();
    notes.warn(named("vector contains a mix of classic and native histograms", name), position);
    result.classic[found->second].buckets.clear();
    return true;
  });
  std::erase_if(result.classic, [](const Classic& one) { return one.buckets.empty(); });
  return result;
}

double variance(const Histogram& histogram) {
  const double mean = histogram.sum / histogram.count;
  double sum = 0;
  double lost = 0;
  for (const BoundedBucket& bucket : histogram.buckets()) {
    double value = 0;
    if (histogram.is_custom()) {
      value = (bucket.upper + bucket.lower) / 2;
    } else if (bucket.lower > 0 || bucket.upper < 0) {
      value = std::sqrt(bucket.upper * bucket.lower);
      if (bucket.upper < 0) value = -value;
    }
    const double distance = value - mean;
    kahan_add(bucket.count * distance * distance, sum, lost);
  }
  return (sum + lost) / histogram.count;
}

// "0.5", "1.0": as labels of quantiles are written.
std::string quantile_text(double q) {
  std::string text = print_general(q);
  return std::isfinite(q) && text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string monotonicity(std::string_view name) {
  return named(
      "input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
      name);
}

}  // namespace

Vector Evaluator::histogram_call(const Expr& expr, const Inputs& inputs) {
  const std::string_view name = expr.signature->name;
  Vector result;
  const bool has_names = options_.late_name_removal;
  const auto name_of = [&](const Labels& labels) {
    return has_names ? metric_name(labels) : std::string_view();
  };
  if (name == "histogram_fraction") {
    if (inputs[0].empty() || inputs[1].empty()) return result;
    const double lower = inputs[0][0].f;
    const double upper = inputs[1][0].f;
    const Position position = expr.args[2]->position;
    Split all = split(inputs[2], has_names, position, annotations_);
    for (const Element& element : all.native) {
      NativeFigure figure = native_fraction(lower, upper, *element.h);
      if (figure.has_nan)
        annotations_.info(named("input to histogram_fraction has NaN observations, which are "
                                "excluded from all fractions",
                                metric_name(element.labels)),
                          position);
      result.push_back({element.labels, figure.value, nullptr, true});
    }
    for (Classic& one : all.classic)
      result.push_back({one.labels, classic_fraction(lower, upper, one.buckets), nullptr, true});
    return result;
  }
  if (name == "histogram_quantile" || name == "histogram_quantiles") {
    const bool is_single = name == "histogram_quantile";
    const std::size_t vector_index = is_single ? 1 : 0;
    const Position position = expr.args[vector_index]->position;
    Split all = split(inputs[vector_index], has_names, position, annotations_);
    for (std::size_t i = is_single ? 0 : 2; i < (is_single ? 1 : inputs.size()); ++i) {
      if (inputs[i].empty()) return result;
      const double q = inputs[i][0].f;
      if (std::isnan(q) || q < 0 || q > 1)
        annotations_.warn("quantile value should be between 0 and 1, got " + print_general(q),
                          expr.args[i]->position);
      const auto add = [&](Labels labels, double value) {
        if (!is_single) set_label(labels, unwrapped(*expr.args[1]).text, quantile_text(q));
        result.push_back({std::move(labels), value, nullptr, true});
      };
      for (const Element& element : all.native) {
        const NativeFigure figure = native_quantile(q, *element.h);
        if (figure.has_nan)
          annotations_.info(
              named(std::isnan(figure.value)
                        ? "input to histogram_quantile has NaN observations, result is NaN"
                        : "input to histogram_quantile has NaN observations, result is skewed "
                          "higher",
                    metric_name(element.labels)),
              position);
        add(element.labels, figure.value);
      }
      for (const Classic& one : all.classic) {
        QuantileFix fix;
        const double value = classic_quantile(q, one.buckets, fix);
        if (fix.was_needed) annotations_.info(monotonicity(name_of(one.labels)), position);
        add(one.labels, value);
      }
    }
    return result;
  }
  for (const Element& element : inputs[0]) {
    if (!element.h) continue;
    const Histogram& h = *element.h;
    double value = h.count;
    if (name == "histogram_sum") value = h.sum;
    if (name == "histogram_avg") value = h.sum / h.count;
    if (name == "histogram_stdvar") value = variance(h);
    if (name == "histogram_stddev") value = std::sqrt(variance(h));
    result.push_back({element.labels, value, nullptr, true});
  }
  return result;
}

}  // namespace spanway::query::promql
