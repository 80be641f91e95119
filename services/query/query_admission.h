// Whose a query is and what it may take, whatever protocol it came by.
#pragma once

#include <string>
#include <utility>

#include "services/lib/auth/authenticator.h"
#include "services/lib/auth/tenant_resolver.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/http/message.h"
#include "services/query/config.h"
#include "services/query/query_workers.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// Thread-safe. What it is given outlives it and the queries of the workers.
class QueryAdmission {
 public:
  QueryAdmission(const QueryConfig& config, const auth::Authenticator& authenticator,
                 QueryWorkers& workers, MemoryBudget& budget);

  // UNAUTHENTICATED, PERMISSION_DENIED, or INVALID_ARGUMENT for a header that is no tenant.
  Result<std::string> tenant_of(const http::RequestHead& head) const;
  // False when too many queries wait or memory is short; `query` is untouched then.
  [[nodiscard]] bool submit(const std::string& tenant, QueryWorkers::Query& query) const;
  // The surroundings of a query that was admitted then.
  QueryContext context_of(const std::string& tenant, SteadyTime admitted, Duration time_max,
                          const CancelToken& cancel) const;
  // Cancels `cancel` when all queries are ended, as long as the result lives.
  [[nodiscard]] CancelToken::Registration end_with_all(const CancelToken& cancel) const;
  // Ends what runs: queries return CANCELLED.
  void cancel_all() const { all_.cancel(); }
  Duration query_time() const noexcept { return limits_.query_time; }
  Duration client_wait() const noexcept { return limits_.client_wait; }

 private:
  const LimitsConfig limits_;
  const auth::Authenticator& authenticator_;
  QueryWorkers& workers_;
  MemoryBudget& budget_;
  const auth::TenantResolver tenants_;
  const CancelToken all_;
};

}  // namespace spanway::query
