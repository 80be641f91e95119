// label_replace and label_join.
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

// Go's template: $1, ${1}, $name, ${name}, $$.
std::string expand(std::string_view text, const Regex::Groups& groups) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      result += text[i];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == '$') {
      result += text[++i];
      continue;
    }
    const bool has_brace = i + 1 < text.size() && text[i + 1] == '{';
    const std::size_t first = i + (has_brace ? 2 : 1);
    std::size_t end = first;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end == first || (has_brace && (end == text.size() || text[end] != '}'))) {
      result += '$';
      continue;
    }
    result += groups.value(text.substr(first, end - first));
    i = has_brace ? end : end - 1;
  }
  return result;
}

}  // namespace

Result<Matrix> Evaluator::label_replace(const Expr& expr, const Steps& steps) {
  const auto text = [&](std::size_t i) -> const std::string& {
    return unwrapped(*expr.args[i]).text;
  };
  const auto regex = Regex::whole(text(4));
  if (!regex.ok())
    return evaluation_error("invalid regular expression in label_replace(): " + text(4));
  if (!is_label_name(text(1)))
    return evaluation_error("invalid destination label name in label_replace(): " + text(1));
  SPANWAY_ASSIGN(Matrix result, evaluate(*expr.args[0], steps));
  for (PointSeries& series : result) {
    const auto groups = regex->groups(value_of(series.labels, text(3)));
    if (!groups) continue;
    set_label(series.labels, text(1), expand(text(2), *groups));
    if (text(1) == kMetricName) series.drop_name = false;
  }
  return joined(std::move(result));
}

Result<Matrix> Evaluator::label_join(const Expr& expr, const Steps& steps) {
  const auto text = [&](std::size_t i) -> const std::string& {
    return unwrapped(*expr.args[i]).text;
  };
  for (std::size_t i = 3; i < expr.args.size(); ++i)
    if (!is_label_name(text(i)))
      return evaluation_error("invalid source label name in label_join(): " + text(i));
  if (!is_label_name(text(1)))
    return evaluation_error("invalid destination label name in label_join(): " + text(1));
  SPANWAY_ASSIGN(Matrix result, evaluate(*expr.args[0], steps));
  for (PointSeries& series : result) {
    std::string value;
    for (std::size_t i = 3; i < expr.args.size(); ++i)
      value += (i > 3 ? text(2) : "") + std::string(value_of(series.labels, text(i)));
    set_label(series.labels, text(1), std::move(value));
    if (text(1) == kMetricName) series.drop_name = false;
  }
  return joined(std::move(result));
}

}  // namespace spanway::query::promql
