// Spanway's own HTTP API: the newest spans, and the state of the service.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/query/api/answer_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

inline constexpr std::size_t kSpansDefault = 20;
inline constexpr std::size_t kSpansMax = 1000;

// The limit in "limit=50"; other names are ignored. INVALID_ARGUMENT for what is no number from 1
// to kSpansMax.
Result<std::size_t> parse_limit(std::string_view query);

// Writes the answer but does not finish it.
Status answer_spans(TraceStore& store, std::size_t limit, QueryContext& context,
                    AnswerWriter& answer);

// Figures of the service for /health.
struct Figures {
  std::size_t running = 0;
  std::size_t queued = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;
  std::uint64_t cancelled = 0;
};
// The store's error = its state is unknown.
std::string health_json(const Result<StoreStatus>& store, const Figures& figures);

// {"type":"about:blank","title":..,"status":..,"detail":..}
std::string problem(int http_status, std::string_view detail);

}  // namespace spanway::query::rest
