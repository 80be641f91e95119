// The requests of jaeger.api_v3.QueryService (proto/jaeger/api_v3/query_service.proto). Internal to
// query/api/jaeger.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/query/api/jaeger/jaeger_search.h"
#include "services/query/store/query_context.h"

namespace spanway::query::jaeger {

// All read a serialized message; fields that they do not know are skipped. INVALID_ARGUMENT, data,
// "bad_parameters" for bytes that are none, and for values that no question has.

struct TraceRequest {
  TraceId id;
  std::optional<TimeRange> hint;  // By start_time and end_time, when both are set.
};
Result<TraceRequest> read_trace_request(std::string_view message);

// FindTracesRequest and FindTraceSummariesRequest.
Result<SearchParameters> read_search_request(std::string_view message);

struct OperationsRequest {
  std::string service;
  std::string kind;
};
Result<OperationsRequest> read_operations_request(std::string_view message);

// GetDependenciesRequest.
Result<TimeRange> read_dependencies_request(std::string_view message);

}  // namespace spanway::query::jaeger
