// Summaries of traces, span by span.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// External lock. Memory grows with the number of spans: 2 ids of each are kept.
class SummaryBuilder {
 public:
  void add(const otlp_blocks::StoredSpan& stored);
  std::size_t memory_bytes() const noexcept;
  // Those that have spans, in the order of the ids.
  std::vector<TraceSummary> take(std::span<const TraceId> trace_ids);

 private:
  struct Trace {
    TraceSummary summary;
    std::int64_t root_begin = 0;
    std::string root_id;  // Empty = no root yet.
    std::map<std::string, ServiceSpans, std::less<>> services;
    std::unordered_set<std::string> ids;
    std::vector<std::string> parents;  // Parents of spans that have one.
  };
  std::map<std::string, Trace, std::less<>> traces_;
  std::size_t spans_ = 0;
};

}  // namespace spanway::query
