#include "services/query/store/log_store.h"

#include <string>

namespace spanway::query {
namespace {

Error too_many() {
  return invalid_argument("a query takes at most " + std::to_string(kLogConditionsMax) +
                          " conditions on labels, and as many on lines")
      .with_reason("too_many_conditions");
}

}  // namespace

Status check(std::span<const LabelMatcher> matchers) {
  if (matchers.size() > kLogConditionsMax) return too_many();
  SPANWAY_TRY(LabelMatchers::create(matchers));
  return {};
}

Status check(const LogSelect& query) {
  SPANWAY_TRY(check(query.matchers));
  if (query.lines.size() > kLogConditionsMax) return too_many();
  for (const LineFilter& filter : query.lines)
    if (filter.op == MatchOp::kRegex || filter.op == MatchOp::kNotRegex)
      SPANWAY_TRY(Regex::within(filter.text));
  return {};
}

}  // namespace spanway::query
