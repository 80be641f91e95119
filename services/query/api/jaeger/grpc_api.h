// Jaeger's gRPC API: jaeger.api_v3.QueryService.
#pragma once

#include <span>
#include <string_view>

#include "services/query/api/message_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// Thread-safe. The store outlives it. Answers as JaegerApi does over HTTP.
class JaegerGrpcApi {
 public:
  struct Method {
    std::string_view path;  // "/jaeger.api_v3.QueryService/GetTrace"
    std::string_view name;  // The label `api` of metrics: that of the same question over HTTP.
    int question = 0;
  };
  explicit JaegerGrpcApi(TraceStore& traces) noexcept : traces_(traces) {}

  static std::span<const Method> methods();
  // Writes the messages of the answer; the caller ends it. On a query worker, which it may block.
  Status answer(const Method& method, std::string_view request, QueryContext& context,
                MessageWriter& writer);

 private:
  TraceStore& traces_;
};

}  // namespace spanway::query::jaeger
