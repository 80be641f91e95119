#include "services/query/store/filter/red_counter.h"

#include <algorithm>
#include <utility>

#include "services/query/store/duration_bucket.h"

namespace spanway::query {
namespace {

// A row with about ten buckets.
constexpr std::size_t kRowBytes = 1024;

template <typename T>
bool wants(const std::vector<T>& listed, const T& one) {
  return listed.empty() || std::find(listed.begin(), listed.end(), one) != listed.end();
}

}  // namespace

RedCounter::RedCounter(RedQuery query) : query_(std::move(query)) {}

void RedCounter::add(const otlp_blocks::StoredSpan& stored) {
  const otlp::SpanView& span = stored.span;
  const std::string service(stored.service_name);
  const int kind = static_cast<int>(span.kind);
  if (!wants(query_.services, service) || !wants(query_.kinds, kind)) return;
  const auto start = static_cast<std::int64_t>(span.start_time_unix_nano);
  const std::int64_t step = start / query_.step_ns * query_.step_ns;
  const std::string name(query_.by_name ? span.name : std::string_view());
  const int shown_kind = query_.by_kind ? kind : 0;
  RedRow& row = rows_[{step, service, name, shown_kind}];
  row.begin_unix_nano = step;
  row.service = service;
  row.name = name;
  row.kind = shown_kind;
  const std::uint64_t duration = span.end_time_unix_nano - span.start_time_unix_nano;
  ++row.calls;
  if (span.status_code == otlp::StatusCode::kError) ++row.errors;
  row.duration_ns += duration;
  row.duration_max_ns = std::max(row.duration_max_ns, duration);
  ++row.durations[duration_bucket(duration)];
}

std::size_t RedCounter::memory_bytes() const noexcept { return rows_.size() * kRowBytes; }

std::vector<RedRow> RedCounter::take() {
  std::vector<RedRow> result;
  for (auto& [key, row] : rows_) result.push_back(std::move(row));
  return result;
}

}  // namespace spanway::query
