// Naive traces as OTLP, in a memory store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/query/store/memory/memory_trace_store.h"
#include "tests/unit/traceql/naive_evaluator.h"

namespace spanway::query::traceql::naive {

// Begin of the first trace.
inline constexpr std::int64_t kBegin = 1'767'225'600'000'000'000;

std::string trace_id_of(std::size_t number);
// An ExportTraceServiceRequest; the trace of that number begins so many seconds after kBegin.
std::string request_of(const NaiveTrace& trace, std::size_t number);
// Traces by their number, each as a request of tenant "t".
void add_to(MemoryTraceStore& store, const std::vector<NaiveTrace>& traces);

}  // namespace spanway::query::traceql::naive
