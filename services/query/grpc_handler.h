// Jaeger's gRPC API as calls of a server: authentication, tenant, admission, and one query from
// begin to end.
#pragma once

#include <memory>
#include <vector>

#include "services/lib/http/server.h"
#include "services/lib/rpc/streaming_service.h"
#include "services/query/api/jaeger/grpc_api.h"
#include "services/query/events.h"
#include "services/query/query_admission.h"
#include "services/query/query_workers.h"
#include "services/query/store_health.h"

namespace spanway::query {

// Thread-safe. Its parts outlive it and the queries of the workers.
class GrpcHandler final : public http::Handler {
 public:
  struct Parts {
    const QueryAdmission& admission;
    TraceStore& traces;
    const QueryWorkers& workers;
    MemoryBudget& budget;
    const Clock& clock;
    Events& events;
    StoreHealth& health;
  };
  explicit GrpcHandler(const Parts& parts);
  ~GrpcHandler() override;

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override {
    return service_.on_request(head, std::move(responder));
  }

 private:
  class Method;
  struct Waiting;
  void submit(const jaeger::JaegerGrpcApi::Method& method, rpc::StreamingCall call);
  void answer(Waiting& waiting);

  const Parts parts_;
  jaeger::JaegerGrpcApi api_;
  std::vector<std::unique_ptr<Method>> methods_;
  rpc::StreamingService service_;
};

}  // namespace spanway::query
