// The routes of the query service: from a request's head to a query on a worker.
#pragma once

#include <memory>
#include <string>

#include "services/lib/auth/authenticator.h"
#include "services/lib/auth/tenant_resolver.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/http/server.h"
#include "services/query/config.h"
#include "services/query/events.h"
#include "services/query/query_workers.h"
#include "services/query/store/trace_store.h"
#include "services/query/store_health.h"

namespace spanway::query {

// Thread-safe. Its parts outlive it and the queries of the workers.
class QueryHandler final : public http::Handler {
 public:
  struct Parts {
    TraceStore& store;
    const auth::Authenticator& authenticator;
    QueryWorkers& workers;
    MemoryBudget& budget;
    const Clock& clock;
    Events& events;
    StoreHealth& health;
  };
  QueryHandler(const QueryConfig& config, const Parts& parts);

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;
  // Finds out on a worker whether the store answers; nothing when all workers are busy, whose
  // queries show it.
  void probe();
  // Ends what runs: queries return CANCELLED.
  void cancel_all() { all_.cancel(); }

 private:
  struct Route {
    Api api = Api::kSpans;
    std::string argument;  // The trace id as it was sent.
    std::string query;
  };
  struct Waiting;
  void submit(Waiting waiting);
  // The surroundings of a query that was admitted then.
  QueryContext context_of(Waiting& waiting) const;
  void run(Waiting& waiting);
  Status answer(const Waiting& waiting, QueryContext& context, class AnswerWriter& writer);
  Result<std::string> tenant_of(const http::RequestHead& head) const;
  void refuse(const Route& route, http::Responder responder, Code code, int status,
              const std::string& message);

  const LimitsConfig limits_;
  const Parts parts_;
  const auth::TenantResolver tenants_;
  const CancelToken all_;
};

}  // namespace spanway::query
