// Searches for spans and traces, and their results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/query/store/query_context.h"
#include "services/query/store/span_condition.h"

namespace spanway::query {

using TraceId = std::string;  // 16 bytes.

// Spans that start in the range and fulfil the condition.
struct SpanQuery {
  TimeRange range = {};
  SpanCondition where = {};
  std::size_t limit = 20;
};

// The columns of the result. Narrow ones name a span; all of them give it back as it was sent.
enum class SpanColumns : unsigned char { kNarrow, kAll };

// A trace with a span that a query has found.
struct FoundTrace {
  TraceId trace_id;
  std::int64_t newest_unix_nano = 0;  // Start of the newest such span.
  // Such spans that the search has read: 1 or more. It reads no further back than for the limit.
  std::uint64_t matched = 0;
};
struct Found {
  std::vector<FoundTrace> traces;  // Newest first; no trace twice.
};

// A trace without its spans.
struct ServiceSpans {
  std::string service;
  std::uint64_t spans = 0;
  std::uint64_t errors = 0;
  bool operator==(const ServiceSpans&) const = default;
};
struct TraceSummary {
  TraceId trace_id = {};
  std::int64_t begin_unix_nano = 0;  // The first start of a span.
  std::int64_t end_unix_nano = 0;    // The last end of a span.
  // Those of the earliest span without a parent; empty when it has not been stored (yet).
  std::string root_service = {};
  std::string root_name = {};
  std::uint64_t root_duration_ns = 0;
  std::uint64_t spans = 0;
  std::uint64_t errors = 0;                 // Spans with the status error.
  std::uint64_t orphans = 0;                // Spans whose parent is not among the spans.
  std::vector<ServiceSpans> services = {};  // By name.
  bool operator==(const TraceSummary&) const = default;
};

struct Operation {
  std::string name;
  int kind = 0;  // The number of otlp::SpanKind.
  auto operator<=>(const Operation&) const = default;
};

enum class AttributeType : unsigned char { kText, kInteger, kDouble, kBoolean, kOther };
struct AttributeKey {
  Scope scope = Scope::kSpan;  // Not kAny.
  std::string key;
  AttributeType type = AttributeType::kText;
  auto operator<=>(const AttributeKey&) const = default;
};

// Spans whose parent is a span of `caller`. Both may be the same service.
struct Dependency {
  std::string caller;
  std::string callee;
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;  // Calls whose span has the status error.
  auto operator<=>(const Dependency&) const = default;
};

// The steps of the rollups: names and figures are those of whole steps.
inline constexpr std::int64_t kRollupNanos = 300'000'000'000;
inline constexpr std::int64_t kDayNanos = 86'400'000'000'000;
// The smallest range of whole steps that holds the range.
TimeRange rounded_outwards(TimeRange range, std::int64_t step_ns) noexcept;

// Rate, errors and durations of spans, by service and maybe by more.
struct RedQuery {
  TimeRange range = {};                    // Rounded to whole steps, outwards.
  std::int64_t step_ns = kRollupNanos;     // A multiple of it.
  std::vector<std::string> services = {};  // Empty = all.
  std::vector<int> kinds = {};             // Numbers of otlp::SpanKind; empty = all.
  bool by_name = false;
  bool by_kind = false;
};
struct RedRow {
  std::int64_t begin_unix_nano = 0;  // Begin of the step.
  std::string service;
  std::string name;  // Empty unless by_name.
  int kind = 0;      // 0 unless by_kind.
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  std::uint64_t duration_ns = 0;  // Sum.
  std::uint64_t duration_max_ns = 0;
  // Spans by duration: bucket i has (2^(i/4), 2^((i+1)/4)] ns, as OTLP's exponential histogram of
  // scale 2.
  std::map<std::int16_t, std::uint64_t> durations;
  bool operator==(const RedRow&) const = default;
};

// The duration, in ns, that this part of the spans (0 to 1) does not exceed; linear within a
// bucket.
double duration_quantile_ns(const std::map<std::int16_t, std::uint64_t>& durations,
                            double quantile) noexcept;

// INVALID_ARGUMENT, data, "bad_step" for a step that is no multiple of kRollupNanos.
Status check(const RedQuery& query);
// UNIMPLEMENTED, data, for a subject whose values no store lists, see TraceStore::values().
Status check_values_of(const Subject& subject);

}  // namespace spanway::query
