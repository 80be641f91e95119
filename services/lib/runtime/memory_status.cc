#include "services/lib/runtime/memory_status.h"

#include <algorithm>

namespace spanway::runtime {

std::string memory_json(const MemoryGate* gate, const MemoryBudget& budget,
                        std::initializer_list<MemoryOwner> owners) {
  const auto member = [](const char* name, std::size_t bytes) {
    return "\"" + std::string(name) + "\":" + std::to_string(bytes);
  };
  std::size_t owned = 0;
  std::size_t of_budget = 0;
  std::string by_owner;
  for (const MemoryOwner& owner : owners) {
    owned += owner.bytes;
    of_budget += owner.of_budget;
    by_owner += "," + member(owner.name, owner.bytes);
  }
  const std::size_t requests = budget.used() - std::min(budget.used(), of_budget);
  std::string json = "{" + member("limit", gate == nullptr ? 0 : gate->limit());
  json += "," + member("used", requests + owned);
  json += "," + member("rss", gate == nullptr ? 0 : gate->resident());
  json += "," + member("peak", gate == nullptr ? 0 : gate->peak());
  json += "," + member("budget", budget.limit());
  // As the metric spanway_runtime_memory_gate_closed.
  json += ",\"gate_closed\":" + std::string(gate != nullptr && !gate->is_open() ? "true" : "false");
  json += ",\"owners\":{" + member("requests", requests) + by_owner + "}}";
  return json;
}

}  // namespace spanway::runtime
