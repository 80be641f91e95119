// Checks of a query that the grammar leaves open.
#include <algorithm>

#include "services/query/labels/regex.h"
#include "services/query/logql/line_pattern.h"
#include "services/query/logql/parser.h"

namespace spanway::query::logql {
namespace {

bool is_regex(MatchOp op) { return op == MatchOp::kRegex || op == MatchOp::kNotRegex; }

Status check_matcher(const LabelMatcher& matcher) {
  if (!is_regex(matcher.op)) return {};
  const auto regex = Regex::whole(matcher.value);
  return regex.ok() ? ok_status() : Status(parse_error(regex.error().message));
}

// True when the matcher holds for a stream without the label.
Result<bool> matches_nothing(const LabelMatcher& matcher) {
  const std::vector<LabelMatcher> one = {matcher};
  SPANWAY_ASSIGN(const auto compiled, LabelMatchers::create(one));
  return compiled.matches({});
}

Status check_filter(const LabelFilter& filter) {
  if (filter.left) {
    SPANWAY_TRY(check_filter(*filter.left));
    return check_filter(*filter.right);
  }
  return filter.kind == LabelFilter::Kind::kMatch ? check_matcher(filter.matcher) : ok_status();
}

Status check_regexp_stage(const Stage& stage) {
  const auto bad = [](const std::string& what) {
    return Status(parse_error("invalid regexp parser: " + what));
  };
  const auto regex = Regex::within(stage.text);
  if (!regex.ok()) return bad(regex.error().message);
  std::vector<std::string> names = regex->group_names();
  std::erase(names, "");
  if (names.empty()) return bad("at least one named capture must be supplied");
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? ok_status()
                              : bad("duplicate extracted label name '" + *twice + "'");
}

Status check_stage(const Stage& stage) {
  switch (stage.kind) {
    case StageKind::kRegexp:
      return check_regexp_stage(stage);
    case StageKind::kPattern: {
      const auto pattern = LinePattern::for_captures(stage.text);
      return pattern.ok()
                 ? ok_status()
                 : Status(parse_error("invalid pattern parser: " + pattern.error().message));
    }
    case StageKind::kLabelFilter:
      return check_filter(*stage.filter);
    case StageKind::kDrop:
    case StageKind::kKeep:
      for (const NamedMatcher& one : stage.names)
        if (one.matcher) SPANWAY_TRY(check_matcher(*one.matcher));
      return {};
    default:
      return {};
  }
}

Status check_selector(const LogSelector& selector) {
  SPANWAY_TRY(validate_stages(selector));
  for (const LabelMatcher& matcher : selector.matchers) {
    SPANWAY_ASSIGN(const bool is_open, matches_nothing(matcher));
    if (!is_open) return {};
  }
  return parse_error(
      "queries require at least one regexp or equality matcher that does not have an "
      "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "
      "app=~\".+\" will");
}

}  // namespace

Status validate_stages(const LogSelector& selector) {
  for (const LabelMatcher& matcher : selector.matchers) SPANWAY_TRY(check_matcher(matcher));
  for (const Stage& stage : selector.stages) SPANWAY_TRY(check_stage(stage));
  return {};
}

Status validate(const Expr& expr) {
  if (!expr.invalid.empty()) return parse_error(expr.invalid);
  if (expr.kind == NodeKind::kVectorAggregate && expr.name.starts_with("sort") &&
      !expr.grouping->labels.empty())
    return parse_error("sort and sort_desc doesn't allow grouping by ");
  if (expr.kind == NodeKind::kLog || expr.kind == NodeKind::kRangeAggregate) {
    if (expr.unwrap)
      for (const LabelFilterPtr& filter : expr.unwrap->filters) SPANWAY_TRY(check_filter(*filter));
    return check_selector(expr.selector);
  }
  for (const ExprPtr& arg : expr.args) SPANWAY_TRY(validate(*arg));
  return {};
}

}  // namespace spanway::query::logql
