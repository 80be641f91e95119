#include "services/query/api/rest/steps.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "services/query/api/rest/search_request.h"

namespace spanway::query::rest {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kStepsDefault = 48;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

}  // namespace

Result<Steps> parse_steps(const Parameters& parameters, std::int64_t now_unix_nano) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(parameters, now_unix_nano));
  std::int64_t seconds = 0;
  if (const std::string_view text = parameters.get("step"); !text.empty()) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || seconds <= 0 ||
        seconds > kDayNanos / kNanosPerSecond)
      return bad("step: must be a number of seconds from 1 to 86400");
  }
  const std::int64_t least =
      seconds > 0 ? seconds * kNanosPerSecond : (range.end - range.begin) / kStepsDefault;
  const std::int64_t multiple = std::max<std::int64_t>((least - 1) / kRollupNanos + 1, 1);
  Steps steps;
  steps.step_ns = multiple * kRollupNanos;
  steps.range = rounded_outwards(range, steps.step_ns);
  if (steps.count() > kStepsMax)
    return bad("step: there are at most " + std::to_string(kStepsMax) +
               " in the range; take a larger one, or a shorter range");
  return steps;
}

}  // namespace spanway::query::rest
