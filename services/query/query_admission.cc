#include "services/query/query_admission.h"

#include <algorithm>

namespace spanway::query {

QueryAdmission::QueryAdmission(const QueryConfig& config, const auth::Authenticator& authenticator,
                               QueryWorkers& workers, MemoryBudget& budget)
    : limits_(config.limits),
      authenticator_(authenticator),
      workers_(workers),
      budget_(budget),
      tenants_(config.tenant) {}

Result<std::string> QueryAdmission::tenant_of(const http::RequestHead& head) const {
  SPANWAY_ASSIGN(const auto identity, authenticator_.authenticate(head));
  return tenants_.resolve(head, identity);
}

bool QueryAdmission::submit(const std::string& tenant, QueryWorkers::Query& query) const {
  return budget_.admits() && workers_.submit(tenant, query);
}

QueryContext QueryAdmission::context_of(const std::string& tenant, SteadyTime admitted,
                                        Duration time_max, const CancelToken& cancel) const {
  QueryContext context;
  context.tenant = tenant;
  context.deadline = Deadline::at(admitted + std::min<Duration>(limits_.query_time, time_max));
  context.budget.rows_max = static_cast<std::uint64_t>(limits_.rows_read);
  context.budget.bytes_max = limits_.bytes_read.bytes;
  context.budget.store_memory_max = limits_.store_memory.bytes;
  context.budget.spans_max = static_cast<std::uint64_t>(limits_.spans_per_trace);
  context.budget.memory_max = limits_.query_memory.bytes;
  context.budget.memory = budget_.empty_permit();
  context.budget.reading = budget_.empty_permit();
  context.cancel = cancel;
  return context;
}

CancelToken::Registration QueryAdmission::end_with_all(const CancelToken& cancel) const {
  return all_.on_cancel([cancel] { cancel.cancel(); });
}

}  // namespace spanway::query
