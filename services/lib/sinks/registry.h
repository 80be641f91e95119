// From a configuration to a sink: one factory for each type of destination.
#pragma once

#include <array>
#include <functional>

#include "services/lib/sinks/destination.h"
#include "services/lib/sinks/factory.h"

namespace spanway::sinks {

using DestinationFactory =
    std::function<SinkResult(const DestinationConfig& config, const DestinationDeps& deps)>;

// Immutable once filled.
class DestinationRegistry {
 public:
  void add(DestinationType type, DestinationFactory factory);
  // FAILED_PRECONDITION, configuration, when this binary has no such destination.
  SinkResult create(const DestinationConfig& config, const DestinationDeps& deps) const;

 private:
  std::array<DestinationFactory, kDestinationTypeCount> factories_;
};

// Every destination that is built in.
const DestinationRegistry& builtin_destinations();

}  // namespace spanway::sinks
