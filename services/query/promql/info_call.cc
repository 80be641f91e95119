// info(): labels of info metrics beside the ones of a series.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

constexpr const char* kTargetInfo = "target_info";
// They say which info series belongs to a series.
const std::vector<std::string>& identifying() {
  static const std::vector<std::string> names{"instance", "job"};
  return names;
}

bool matches_all(const std::vector<LabelMatcher>& matchers, const Labels& labels) {
  const auto compiled = LabelMatchers::create(matchers);
  return compiled.ok() && compiled->matches(labels);
}

std::vector<LabelMatcher> name_matchers(const std::vector<LabelMatcher>& requested) {
  std::vector<LabelMatcher> names;
  std::copy_if(requested.begin(), requested.end(), std::back_inserter(names),
               [](const LabelMatcher& matcher) { return matcher.label == kMetricName; });
  const bool is_positive = std::any_of(names.begin(), names.end(), [](const LabelMatcher& one) {
    return one.op == MatchOp::kEqual || one.op == MatchOp::kRegex;
  });
  if (is_positive) return names;
  if (names.empty()) return {{kMetricName, MatchOp::kEqual, kTargetInfo}};
  names.insert(names.begin(), {kMetricName, MatchOp::kRegex, ".+_info"});
  return names;
}

std::string quoted_meta(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

// Conditions on the identifying labels, one list for each set of them that series have.
std::vector<std::vector<LabelMatcher>> identifying_matchers(const Matrix& base,
                                                            const std::set<Labels>& ignored) {
  std::map<std::vector<bool>, std::vector<std::set<std::string>>> groups;
  for (const PointSeries& series : base) {
    if (ignored.contains(series.labels)) continue;
    std::vector<bool> present;
    for (const std::string& name : identifying())
      present.push_back(!value_of(series.labels, name).empty());
    if (std::find(present.begin(), present.end(), true) == present.end()) continue;
    auto& values = groups[present];
    values.resize(identifying().size());
    for (std::size_t i = 0; i < identifying().size(); ++i)
      values[i].emplace(value_of(series.labels, identifying()[i]));
  }
  std::vector<std::vector<LabelMatcher>> result;
  for (const auto& [present, values] : groups) {
    std::vector<LabelMatcher> matchers;
    for (std::size_t i = 0; i < identifying().size(); ++i) {
      std::string pattern;
      for (const std::string& value : values[i])
        pattern += (pattern.empty() ? "" : "|") + quoted_meta(value);
      matchers.push_back({identifying()[i], present[i] ? MatchOp::kRegex : MatchOp::kEqual,
                          present[i] ? pattern : ""});
    }
    result.push_back(std::move(matchers));
  }
  return result;
}

// The time that selectors of an expression read, when it is the same for all of them.
struct Reference {
  std::optional<std::int64_t> at;
  std::int64_t offset = 0;
  bool operator==(const Reference& other) const {
    if (!at || !other.at) return !at && !other.at && offset == other.offset;
    return *at - offset == *other.at - other.offset;
  }
};

struct References {
  std::optional<Reference> first;
  bool is_uniform = true;
};

}  // namespace

bool Evaluator::add_references(
    const Expr& expr, std::vector<const Expr*>& subqueries,
    const std::function<void(std::optional<std::int64_t>, std::int64_t)>& found,
    bool& has_others) const {
  const ValueType type = type_of(expr);
  if (type != ValueType::kVector && type != ValueType::kMatrix) return false;
  if (expr.kind == NodeKind::kSelector) {
    std::optional<std::int64_t> at = fixed_time(expr.modifiers);
    std::int64_t offset = expr.modifiers.offset_ms;
    for (auto one = subqueries.rbegin(); one != subqueries.rend() && !at; ++one) {
      offset += (*one)->modifiers.offset_ms;
      at = fixed_time((*one)->modifiers);
    }
    found(at, offset);
    return true;
  }
  const bool is_subquery = expr.kind == NodeKind::kSubquery;
  if (is_subquery) subqueries.push_back(&expr);
  bool has_selector = false;
  const bool is_info = expr.kind == NodeKind::kCall && expr.text == "info";
  for (std::size_t i = 0; i < (is_info ? 1 : expr.args.size()); ++i)
    has_selector |= add_references(*expr.args[i], subqueries, found, has_others);
  if (is_subquery) subqueries.pop_back();
  if (!has_selector && !is_info) has_others = true;
  return has_selector;
}

Result<Matrix> Evaluator::info_series(const std::vector<LabelMatcher>& requested,
                                      const Matrix& base, const std::set<Labels>& ignored,
                                      const Expr& source, const Steps& steps) {
  References references;
  bool has_others = false;
  std::vector<const Expr*> subqueries;
  add_references(
      source, subqueries,
      [&](std::optional<std::int64_t> at, std::int64_t offset) {
        const Reference one{at, offset};
        if (!references.first)
          references.first = one;
        else
          references.is_uniform &= *references.first == one;
      },
      has_others);
  Expr selector;
  selector.kind = NodeKind::kSelector;
  if (references.first && references.is_uniform && !has_others) {
    selector.modifiers.at_ms = references.first->at;
    selector.modifiers.offset_ms = references.first->offset;
  }
  Matrix result;
  for (const std::vector<LabelMatcher>& identity : identifying_matchers(base, ignored)) {
    selector.matchers = identity;
    for (const LabelMatcher& matcher : requested)
      if (matcher.label != kMetricName) selector.matchers.push_back(matcher);
    for (LabelMatcher& matcher : name_matchers(requested))
      selector.matchers.push_back(std::move(matcher));
    SPANWAY_ASSIGN(Matrix some, this->selector(selector, steps, Show::kInfoTime));
    for (PointSeries& series : some) result.push_back(std::move(series));
  }
  return result;
}

Result<Matrix> Evaluator::info_call(const Expr& expr, const Steps& steps) {
  std::vector<LabelMatcher> requested;
  if (expr.args.size() > 1) requested = expr.args[1]->matchers;
  SPANWAY_ASSIGN(Matrix base, evaluate(*expr.args[0], steps));
  std::set<Labels> ignored;  // Info series themselves.
  for (const PointSeries& series : base)
    if (matches_all(name_matchers(requested),
                    {{kMetricName, std::string(metric_name(series.labels))}}))
      ignored.insert(series.labels);
  SPANWAY_ASSIGN(Matrix infos, info_series(requested, base, ignored, *expr.args[0], steps));
  std::vector<LabelMatcher> needed;
  std::copy_if(requested.begin(), requested.end(), std::back_inserter(needed),
               [](const LabelMatcher& matcher) { return matcher.label != kMetricName; });
  std::vector<Matrix> inputs;
  inputs.push_back(std::move(base));
  inputs.push_back(std::move(infos));
  return each_step(std::move(inputs), steps, [&](const Inputs& v, std::int64_t) {
    return add_info(v[0], v[1], ignored, needed);
  });
}

Result<Vector> Evaluator::add_info(const Vector& base, const Vector& infos,
                                   const std::set<Labels>& ignored,
                                   const std::vector<LabelMatcher>& needed) {
  // By identity and name of the info metric, the newest.
  std::map<Labels, std::map<std::string, const Element*, std::less<>>> by_identity;
  if (base.empty()) return Vector{};
  for (const Element& info : infos) {
    const Element*& newest =
        by_identity[only(info.labels, identifying())][std::string(metric_name(info.labels))];
    if (newest != nullptr && newest->f == info.f)
      return evaluation_error("found duplicate series for info metric: existing " +
                              to_string(newest->labels) + " @ " +
                              std::to_string(static_cast<std::int64_t>(newest->f * 1000)) +
                              ", new " + to_string(info.labels) + " @ " +
                              std::to_string(static_cast<std::int64_t>(info.f * 1000)));
    if (newest == nullptr || newest->f < info.f) newest = &info;
  }
  const bool needs_match = !matches_all(needed, {});
  Vector result;
  for (const Element& element : base) {
    if (ignored.contains(element.labels)) {
      result.push_back(element);
      continue;
    }
    const auto found = by_identity.find(only(element.labels, identifying()));
    Labels added;
    if (found != by_identity.end()) {
      for (const auto& [name, info] : found->second)
        for (const auto& [label, value] : info->labels) {
          const bool is_needed =
              needed.empty() || std::any_of(needed.begin(), needed.end(),
                                            [&](const auto& one) { return one.label == label; });
          if (label == kMetricName || !is_needed) continue;
          const std::string_view before = value_of(added, label);
          if (!before.empty() && before != value)
            return evaluation_error("conflicting label: " + label);
          if (value_of(element.labels, label).empty()) set_label(added, label, value);
        }
    } else if (needs_match) {
      continue;
    }
    Element joined_element = element;
    for (auto& [label, value] : added) set_label(joined_element.labels, label, value);
    result.push_back(std::move(joined_element));
  }
  return result;
}

}  // namespace spanway::query::promql
