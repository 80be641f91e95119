// TraceQL evaluated by its definition alone: small random traces, random queries, and for each
// query a predicate that was made together with its text. Shares no code with the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "services/query/traceql/trace.h"

namespace spanway::query::traceql::naive {

using AnyValue = std::variant<std::int64_t, double, std::string, bool, std::vector<std::int64_t>,
                              std::vector<std::string>>;

struct NaiveSpan {
  int parent = -1;  // Position; -1 = a root, -2 = of a span that is missing.
  std::string name;
  std::int64_t kind = 0, status = 0, start = 0, duration = 0;
  std::map<std::string, AnyValue> own;
  int service = 0;
  std::vector<std::string> events;
};
struct NaiveTrace {
  std::vector<NaiveSpan> spans;  // By start.
};

using Spans = std::vector<std::uint32_t>;
using Sets = std::vector<Spans>;
struct Condition {
  std::string text;
  std::function<bool(const NaiveTrace&, std::size_t)> holds;
};
struct SpansetQuery {
  std::string text;
  std::function<Sets(const NaiveTrace&, const Spans&)> run;
};

NaiveTrace random_trace(std::mt19937& random);
Condition random_condition(std::mt19937& random, int depth);
SpansetQuery random_query(std::mt19937& random);

// The same trace for the engine.
Trace engine_trace(const NaiveTrace& trace);
Spans all_of(const NaiveTrace& trace);

}  // namespace spanway::query::traceql::naive
