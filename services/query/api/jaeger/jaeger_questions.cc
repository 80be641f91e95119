#include "services/query/api/jaeger/jaeger_questions.h"

namespace spanway::query::jaeger {

Result<std::vector<TraceId>> ids_of(TraceStore& store, const SearchParameters& search,
                                    QueryContext& context) {
  if (!search.trace_ids.empty()) return search.trace_ids;
  SPANWAY_ASSIGN(const Found found, store.find(search.query, context));
  std::vector<TraceId> ids;
  for (const FoundTrace& trace : found.traces) ids.push_back(trace.trace_id);
  return ids;
}

Result<std::vector<std::string>> services_of(TraceStore& store, TimeRange range,
                                             QueryContext& context) {
  SPANWAY_ASSIGN(auto services, store.services(range, context));
  std::erase(services, "");
  return services;
}

Result<std::vector<Operation>> operations_of(TraceStore& store, const std::string& service,
                                             std::string_view kind, TimeRange range,
                                             QueryContext& context) {
  // Jaeger knows no operations of a kind that it does not know.
  const auto number = kind_number(kind);
  if (!kind.empty() && !number) return std::vector<Operation>();
  SPANWAY_ASSIGN(auto operations, store.operations(service, range, context));
  if (number) std::erase_if(operations, [&](const Operation& one) { return one.kind != *number; });
  return operations;
}

}  // namespace spanway::query::jaeger
