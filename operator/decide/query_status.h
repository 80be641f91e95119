// The state of the query component, from its pods and their /statusz reports.
#pragma once

#include <optional>
#include <string>

#include "operator/decide/status.h"

namespace spanway::decide {

struct QueryStatus {
  std::string ready;    // "1/1": ready and desired pods.
  std::string store;    // "Reachable", "Unreachable" when a pod reports so, "Unknown".
  std::string since;    // When `store` changed last: it does so at most every 30 s.
  std::string message;  // Why it is unreachable; the first text stays.
};

// Nothing without a query component. Without reports the store keeps its state from `before`.
std::optional<QueryStatus> observe_query(const StatusInput& input, const Json& before);
Json to_json(const QueryStatus& query);

}  // namespace spanway::decide
