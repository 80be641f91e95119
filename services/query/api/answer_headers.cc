#include "services/query/api/answer_headers.h"

#include <algorithm>
#include <chrono>

#include "services/lib/base/rfc3339.h"

namespace spanway::query {
namespace {

std::string milliseconds(Duration duration) {
  constexpr std::int64_t kTenthNanos = 100'000, kTenths = 10;
  const std::int64_t tenths =
      std::max<std::int64_t>(std::chrono::nanoseconds(duration).count(), 0) / kTenthNanos;
  return std::to_string(tenths / kTenths) + "." + std::to_string(tenths % kTenths);
}

}  // namespace

std::string coverage_text(const Coverage& coverage) {
  const bool is_oldest_first = coverage.searched.end < coverage.requested.end;
  std::string text = is_oldest_first
                         ? "searched up to " + unix_nano_to_rfc3339(coverage.searched.end)
                         : "searched back to " + unix_nano_to_rfc3339(coverage.searched.begin);
  text += " only: " + coverage.why;
  // A header has one line.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return text;
}

std::string cost_text(const Cost& cost, Duration taken) {
  std::string text = "rows=" + std::to_string(cost.rows_read) +
                     ",bytes=" + std::to_string(cost.bytes_read) +
                     ",statements=" + std::to_string(cost.statements);
  if (!cost.index.empty()) text.append(",index=").append(cost.index);
  if (cost.waited > Duration::zero()) text += ",store_ms=" + milliseconds(cost.waited);
  return text + ",engine_ms=" + milliseconds(taken - cost.waited);
}

}  // namespace spanway::query
