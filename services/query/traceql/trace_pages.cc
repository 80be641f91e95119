#include "services/query/traceql/trace_pages.h"

#include <algorithm>
#include <utility>

namespace spanway::query::traceql {

TracePages::TracePages(TraceStore& store, SpanCondition where, TimeRange range, std::size_t page,
                       QueryContext& context)
    : store_(store),
      context_(context),
      range_(range),
      query_{range, std::move(where), std::clamp<std::size_t>(page, 1, TraceStore::kTraceIdsMax)},
      searched_to_(range.end) {}

Result<std::vector<TraceId>> TracePages::next() {
  std::vector<TraceId> fresh;
  while (!ended_ && fresh.empty()) {
    context_.coverage = {};
    SPANWAY_ASSIGN(const Found found, store_.find(query_, context_));
    is_complete_ = context_.coverage.complete;
    for (const FoundTrace& trace : found.traces)
      if (seen_.insert(trace.trace_id).second) fresh.push_back(trace.trace_id);
    if (!is_complete_) {
      why_ = context_.coverage.why;
      searched_to_ = context_.coverage.searched.begin;
    }
    if (found.traces.size() < query_.limit || !is_complete_) {
      ended_ = true;
      if (is_complete_) searched_to_ = range_.begin;
      break;
    }
    const std::int64_t oldest = found.traces.back().newest_unix_nano;
    searched_to_ = oldest;
    // Traces of the same nanosecond may be on the next page.
    if (oldest + 1 < query_.range.end)
      query_.range.end = oldest + 1;
    else if (fresh.empty())
      query_.limit *= 2;
  }
  if (fresh.size() > TraceStore::kTraceIdsMax) fresh.resize(TraceStore::kTraceIdsMax);
  return fresh;
}

void TracePages::report_coverage(const std::string& why) {
  context_.coverage.requested = range_;
  context_.coverage.searched = {std::min(searched_to_, range_.end), range_.end};
  context_.coverage.complete = is_complete_ && why.empty();
  context_.coverage.why = why.empty() ? why_ : why;
  if (context_.coverage.complete) context_.coverage.searched = range_;
}

}  // namespace spanway::query::traceql
