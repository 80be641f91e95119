// A search for spans: its conditions and its result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "services/query/store/query_context.h"

namespace spanway::query {

using TraceId = std::string;  // 16 bytes.

enum class Scope : unsigned char { kSpan, kResource };
enum class Op : unsigned char {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kExists
};
using Value = std::variant<std::string, std::int64_t, double, bool>;

// A condition on one attribute. It holds when the attribute exists with the type of the value and
// compares as requested; texts compare by bytes; kExists asks for no type.
struct Predicate {
  Scope scope = Scope::kSpan;
  std::string key;
  Op op = Op::kEqual;
  Value value = {};
};

// One span that fulfils every condition. Conditions that are not set hold.
struct SpanQuery {
  TimeRange range = {};  // For the span's start.
  std::vector<Predicate> all_of = {};
  std::optional<std::string> service = std::nullopt;
  std::optional<std::string> name = std::nullopt;
  std::optional<int> kind = std::nullopt;    // The number of otlp::SpanKind.
  std::optional<int> status = std::nullopt;  // The number of otlp::StatusCode.
  std::uint64_t duration_min_ns = 0;
  std::uint64_t duration_max_ns = std::numeric_limits<std::uint64_t>::max();
  std::size_t limit = 20;
};

// The columns of the result. Narrow ones name a span; all of them give it back as it was sent.
enum class SpanColumns : unsigned char { kNarrow, kAll };

// A trace with a span that a query has found.
struct FoundTrace {
  TraceId trace_id;
  std::int64_t newest_unix_nano = 0;  // Start of the newest such span.
  std::uint64_t matched = 0;          // Such spans.
};
struct Found {
  std::vector<FoundTrace> traces;  // Newest first; no trace twice.
  // By position in all_of: true = every matched span fulfils it. The others are to be checked.
  std::vector<bool> applied;
};

}  // namespace spanway::query
