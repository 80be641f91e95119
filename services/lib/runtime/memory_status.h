// The member `memory` of /statusz: the account by owner beside what the kernel counts.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/memory_gate.h"

namespace spanway::runtime {

// One line of the account: part of a service's budget, or a share that a client library has.
struct MemoryOwner {
  MemoryOwner(const char* n, const MemoryBudget& account)
      : name(n), bytes(account.used()), of_budget(account.used_of_parent()) {}
  MemoryOwner(const char* n, std::size_t outside) : name(n), bytes(outside) {}

  const char* name;
  std::size_t bytes;
  std::size_t of_budget = 0;
};

// {"limit":..,"used":..,"rss":..,"peak":..,"budget":..,"owners":{"requests":..,...}}, in bytes.
// `limit`, `rss` and `peak` (of rss) are the process's and 0 without a gate; `used` and `budget`
// are of the account, whose bytes without an owner in `owners` are those of requests.
std::string memory_json(const MemoryGate* gate, const MemoryBudget& budget,
                        std::initializer_list<MemoryOwner> owners);

}  // namespace spanway::runtime
