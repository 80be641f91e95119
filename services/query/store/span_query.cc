#include "services/query/store/span_query.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spanway::query {

TimeRange rounded_outwards(TimeRange range, std::int64_t step_ns) noexcept {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::int64_t begin = std::max<std::int64_t>(range.begin, 0) / step_ns * step_ns;
  if (range.end > kMax - step_ns) return {.begin = begin, .end = kMax};
  return {.begin = begin,
          .end = (std::max<std::int64_t>(range.end, 0) + step_ns - 1) / step_ns * step_ns};
}

double duration_quantile_ns(const std::map<std::int16_t, std::uint64_t>& durations,
                            double quantile) noexcept {
  double spans = 0;
  for (const auto& [bucket, count] : durations) spans += static_cast<double>(count);
  double rank = quantile * spans, last = 0;
  for (const auto& [bucket, count] : durations) {
    const double begin = std::exp2(bucket / 4.0), end = std::exp2((bucket + 1) / 4.0);
    const auto in_bucket = static_cast<double>(count);
    if (rank <= in_bucket) return in_bucket == 0 ? begin : begin + (end - begin) * rank / in_bucket;
    rank -= in_bucket;
    last = end;
  }
  return last;
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
