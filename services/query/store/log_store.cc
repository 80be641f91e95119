#include "services/query/store/log_store.h"

#include <string>

namespace spanway::query {

Status check(const LogSelect& query) {
  SPANWAY_TRY(LabelMatchers::create(query.matchers));
  if (query.lines.size() > kLineFiltersMax)
    return invalid_argument("a query takes at most " + std::to_string(kLineFiltersMax) +
                            " conditions on lines")
        .with_reason("too_many_conditions");
  for (const LineFilter& filter : query.lines)
    if (filter.op == MatchOp::kRegex || filter.op == MatchOp::kNotRegex)
      SPANWAY_TRY(Regex::within(filter.text));
  return {};
}

}  // namespace spanway::query
