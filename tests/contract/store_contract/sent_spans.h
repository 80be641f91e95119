// Random spans and random searches for the contract of TraceStore, and a naive filter over what was
// sent. It shares no code with the stores.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "services/query/store/span_query.h"

namespace spanway::query {

using SentAttributes = std::map<std::string, Value>;

struct SentEvent {
  std::string name;
  SentAttributes attributes;
};
struct SentLink {
  std::string trace_id, span_id;
  SentAttributes attributes;
};
// A span as it was sent; the naive filter sees nothing else.
struct SentSpan {
  std::string trace_id, span_id, parent_id, service, name, status_message;
  std::string scope_name, scope_version;
  int kind = 0, status = 0;
  std::int64_t start = 0;
  std::uint64_t duration = 0;
  SentAttributes attributes, resource, scope;
  std::vector<SentEvent> events;
  std::vector<SentLink> links;
};

bool naive_holds(const SpanCondition& condition, const SentSpan& span);
inline bool naive_match(const SpanQuery& query, const SentSpan& span) {
  return query.range.contains(span.start) && naive_holds(query.where, span);
}
// The query, for the message of a failure.
std::string described(const SpanQuery& query);
// An ExportTraceServiceRequest.
std::string request_of(const std::vector<SentSpan>& spans);

// Spans of a few services, with few values, so that conditions hold for some of them. Three
// consecutive numbers are spans of one trace.
class SpanGenerator {
 public:
  // All spans start in the kSpanSeconds from `base` on.
  static constexpr std::size_t kSpanSeconds = 20'000;
  SpanGenerator(std::uint32_t seed, std::int64_t base) : random_(seed), base_(base) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  SentSpan span(std::uint64_t number);
  SpanQuery query();

 private:
  std::int64_t time();
  std::string key();
  Value value(const std::string& key);
  SentAttributes attributes(std::size_t fewer_than);
  SpanCondition condition(std::size_t depth);
  SpanCondition attribute_condition();
  SpanCondition field_condition();

  std::mt19937 random_;
  const std::int64_t base_;
};

}  // namespace spanway::query
