// How many batches a destination has taken, by signal and tenant: the evidence that a batch which
// is refused again and again is to blame itself, and not the destination.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "services/kafka-bridge/events.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// Single-thread; shared by all partitions of one destination. Counts only grow, until more than
// kTenantsMax tenants are known; then all begin anew above what they were.
class Passes {
 public:
  static constexpr std::size_t kTenantsMax = 10'000;

  std::uint64_t of(otlp::Signal signal, std::string_view tenant) const {
    const auto& tenants = tenants_[otlp::index_of(signal)];
    const auto found = tenants.find(tenant);
    return found == tenants.end() ? 0 : found->second;
  }
  void add(otlp::Signal signal, std::string_view tenant) {
    auto& tenants = tenants_[otlp::index_of(signal)];
    auto found = tenants.find(tenant);
    if (found == tenants.end()) {
      if (tenants.size() >= kTenantsMax) tenants.clear();
      found = tenants.emplace(tenant, 0).first;
    }
    // One number for all, so that a count never falls when tenants are forgotten.
    found->second = ++total_;
  }

 private:
  std::array<std::map<std::string, std::uint64_t, std::less<>>, kSignalCount> tenants_;
  std::uint64_t total_ = 0;
};

}  // namespace spanway::kafka_bridge
