#include "services/query/store/filter/summary_builder.h"

#include <algorithm>
#include <utility>

namespace spanway::query {
namespace {

// Two ids with their places in tables.
constexpr std::size_t kSpanBytes = 128;

}  // namespace

void SummaryBuilder::add(const otlp_blocks::StoredSpan& stored) {
  const otlp::SpanView& span = stored.span;
  const auto begin = static_cast<std::int64_t>(span.start_time_unix_nano);
  const auto end = static_cast<std::int64_t>(span.end_time_unix_nano);
  const bool is_error = span.status_code == otlp::StatusCode::kError;
  Trace& trace = traces_[std::string(span.trace_id)];
  TraceSummary& summary = trace.summary;
  summary.begin_unix_nano = summary.spans == 0 ? begin : std::min(summary.begin_unix_nano, begin);
  summary.end_unix_nano = std::max(summary.end_unix_nano, end);
  ++summary.spans;
  ++spans_;
  if (is_error) ++summary.errors;
  ServiceSpans& service = trace.services[std::string(stored.service_name)];
  ++service.spans;
  if (is_error) ++service.errors;
  trace.ids.emplace(span.span_id);
  if (!span.parent_span_id.empty()) {
    trace.parents.emplace_back(span.parent_span_id);
    return;
  }
  if (!trace.root_id.empty() && std::pair(trace.root_begin, std::string_view(trace.root_id)) <=
                                    std::pair(begin, span.span_id))
    return;
  trace.root_begin = begin;
  trace.root_id = span.span_id;
  summary.root_service = stored.service_name;
  summary.root_name = span.name;
  summary.root_duration_ns = span.end_time_unix_nano - span.start_time_unix_nano;
}

std::size_t SummaryBuilder::memory_bytes() const noexcept { return spans_ * kSpanBytes; }

std::vector<TraceSummary> SummaryBuilder::take(std::span<const TraceId> trace_ids) {
  std::vector<TraceSummary> summaries;
  for (const TraceId& id : trace_ids) {
    const auto found = traces_.find(id);
    if (found == traces_.end()) continue;
    Trace& trace = found->second;
    trace.summary.trace_id = id;
    trace.summary.orphans = static_cast<std::uint64_t>(
        std::count_if(trace.parents.begin(), trace.parents.end(),
                      [&](const std::string& parent) { return !trace.ids.contains(parent); }));
    for (auto& [name, service] : trace.services) {
      service.service = name;
      trace.summary.services.push_back(std::move(service));
    }
    summaries.push_back(std::move(trace.summary));
    traces_.erase(found);
  }
  return summaries;
}

}  // namespace spanway::query
