// Traces of tests, span by span.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "services/query/insight/sampled_trace.h"
#include "tests/insight/planted_random.h"

namespace spanway::query::insight {

struct Place {
  std::string service;
  std::string name;
  otlp::SpanKind kind = otlp::SpanKind::kInternal;
};

class TraceBuilder {
 public:
  static constexpr std::size_t kNoParent = static_cast<std::size_t>(-1);

  explicit TraceBuilder(PlantedRandom& random) : random_(random) { trace_.id = random.bytes(16); }

  // Returns the index of the span.
  std::size_t add(std::size_t parent, const Place& place, std::int64_t begin, std::int64_t end) {
    SampledSpan span{.id = random_.bytes(8)};
    if (parent != kNoParent) span.parent_id = trace_.spans[parent].id;
    span.service = place.service;
    span.name = place.name;
    span.kind = place.kind;
    span.start_unix_nano = begin;
    span.duration_ns = end - begin;
    trace_.spans.push_back(std::move(span));
    return trace_.spans.size() - 1;
  }
  SampledSpan& operator[](std::size_t index) { return trace_.spans[index]; }
  void set(std::size_t index, const std::string& key, const std::string& value) {
    trace_.spans[index].attributes.emplace_back(key, value);
  }
  SpanReference reference(std::size_t index) const { return {trace_.id, trace_.spans[index].id}; }
  std::size_t size() const { return trace_.spans.size(); }
  SampledTrace take() && { return std::move(trace_); }
  // As a store gives them back: in no order.
  SampledTrace shuffled() && {
    random_.shuffle(trace_.spans);
    return std::move(trace_);
  }

 private:
  PlantedRandom& random_;
  SampledTrace trace_;
};

}  // namespace spanway::query::insight
