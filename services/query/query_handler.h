// From the head of a request to a query on a worker: route, authentication, tenant, admission, and
// one query from begin to end.
#pragma once

#include <memory>
#include <string>

#include "services/lib/auth/authenticator.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/http/server.h"
#include "services/query/api/api_registry.h"
#include "services/query/config.h"
#include "services/query/events.h"
#include "services/query/query_admission.h"
#include "services/query/query_workers.h"
#include "services/query/store/trace_store.h"
#include "services/query/store_health.h"
#include "services/query/web/asset_handler.h"

namespace spanway::query {

// Thread-safe. Its parts outlive it and the queries of the workers.
class QueryHandler final : public http::Handler, public QueryRunner {
 public:
  struct Parts {
    const ApiRegistry& apis;
    const web::AssetHandler& page;
    TraceStore& traces;  // Probed.
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
  bool run(const std::string& tenant, const CancelToken& cancel, Work work) override;
  // Finds out on a worker whether the store answers; nothing when all workers are busy, whose
  // queries show it.
  void probe();
  // Ends what runs: queries return CANCELLED.
  void cancel_all() { admission_.cancel_all(); }
  // For the handlers of other protocols.
  const QueryAdmission& admission() const noexcept { return admission_; }

 private:
  struct Waiting;
  class Body;
  void submit(std::shared_ptr<Waiting> waiting);
  bool run_within(Duration time_max, const std::string& tenant, const CancelToken& cancel,
                  Work work);
  void answer(Waiting& waiting);
  // `allow`: the header of a 405.
  void refuse(const QueryApi& api, const ApiRoute& route, http::Responder responder,
              const Error& error, int status, const std::string& allow = "");

  const Parts parts_;
  const QueryAdmission admission_;
};

}  // namespace spanway::query
