#include "services/query/store/span_query.h"

#include <algorithm>
#include <limits>

namespace spanway::query {

TimeRange rounded_outwards(TimeRange range, std::int64_t step_ns) noexcept {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::int64_t begin = std::max<std::int64_t>(range.begin, 0) / step_ns * step_ns;
  if (range.end > kMax - step_ns) return {.begin = begin, .end = kMax};
  return {.begin = begin,
          .end = (std::max<std::int64_t>(range.end, 0) + step_ns - 1) / step_ns * step_ns};
}

Status check(const RedQuery& query) {
  if (query.step_ns > 0 && query.step_ns % kRollupNanos == 0) return {};
  return invalid_argument("a step is a multiple of five minutes").with_reason("bad_step");
}

Status check_values_of(const Subject& subject) {
  const bool is_single = subject.scope == Scope::kSpan || subject.scope == Scope::kResource ||
                         subject.scope == Scope::kInstrumentation;
  switch (subject.field) {
    case Field::kAttribute:
      if (is_single) return {};
      break;
    case Field::kService:
    case Field::kName:
    case Field::kKind:
    case Field::kStatus:
    case Field::kStatusMessage:
    case Field::kScopeName:
    case Field::kScopeVersion:
      return {};
    default:
      break;
  }
  return data_error(Code::kUnimplemented,
                    "values are listed of attributes of spans, resources and instrumentation "
                    "scopes, of services, names, kinds, states and scopes")
      .with_reason("values_not_listed");
}

}  // namespace spanway::query
