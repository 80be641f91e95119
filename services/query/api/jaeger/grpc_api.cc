#include "services/query/api/jaeger/grpc_api.h"

#include <array>

#include "services/query/api/jaeger/grpc_answers.h"
#include "services/query/api/jaeger/grpc_requests.h"

namespace spanway::query::jaeger {
namespace {

enum Question : int {
  kTrace,
  kSearch,
  kSummaries,
  kServices,
  kOperations,
  kDependencies,
};

using Method = JaegerGrpcApi::Method;

constexpr std::array kMethods = {
    Method{"/jaeger.api_v3.QueryService/GetTrace", "jaeger_v3_trace", kTrace},
    Method{"/jaeger.api_v3.QueryService/FindTraces", "jaeger_v3_search", kSearch},
    Method{"/jaeger.api_v3.QueryService/FindTraceSummaries", "jaeger_v3_summaries", kSummaries},
    Method{"/jaeger.api_v3.QueryService/GetServices", "jaeger_v3_services", kServices},
    Method{"/jaeger.api_v3.QueryService/GetOperations", "jaeger_v3_operations", kOperations},
    Method{"/jaeger.api_v3.QueryService/GetDependencies", "jaeger_v3_dependencies", kDependencies},
};

}  // namespace

std::span<const Method> JaegerGrpcApi::methods() { return kMethods; }

Status JaegerGrpcApi::answer(const Method& method, std::string_view request, QueryContext& context,
                             MessageWriter& writer) {
  switch (method.question) {
    case kTrace: {
      SPANWAY_ASSIGN(const auto trace, read_trace_request(request));
      return send_trace(traces_, trace, context, writer);
    }
    case kSearch: {
      SPANWAY_ASSIGN(const auto search, read_search_request(request));
      return send_search(traces_, search, context, writer);
    }
    case kSummaries: {
      SPANWAY_ASSIGN(const auto search, read_search_request(request));
      return send_summaries(traces_, search, context, writer);
    }
    case kServices:
      return send_services(traces_, context, writer);
    case kOperations: {
      SPANWAY_ASSIGN(const auto operations, read_operations_request(request));
      return send_operations(traces_, operations, context, writer);
    }
    default: {
      SPANWAY_ASSIGN(const auto range, read_dependencies_request(request));
      return send_dependencies(traces_, range, context, writer);
    }
  }
}

}  // namespace spanway::query::jaeger
