// The context of a span, as it travels between services in headers of HTTP and Kafka: W3C Trace
// Context, level 1. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/testapp/telemetry_model.h"

namespace spanway::demo {

struct SpanContext {
  testapp::TraceId trace_id;
  testapp::SpanId span_id;
  bool sampled = true;
  // Other tracing systems' own; passed on as it came.
  std::string trace_state;
};

// 32 and 16 digits.
std::string hex(const testapp::TraceId& id);
std::string hex(const testapp::SpanId& id);

// Adds `traceparent`, and `tracestate` where there is one.
void inject(const SpanContext& context, std::vector<std::pair<std::string, std::string>>& headers);

// `header` returns the value of the header with that name in lower case, empty without one. Nothing
// when there is no valid `traceparent`: the caller begins a trace.
using HeaderOf = std::function<std::string_view(std::string_view name)>;
std::optional<SpanContext> extract(const HeaderOf& header);

}  // namespace spanway::demo
