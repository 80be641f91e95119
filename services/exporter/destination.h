// How an exporter gets from a configuration to a sink: one factory per type of destination.
//
// A new destination: a value of DestinationType with its name, its traits and its section in
// destination_config.*, a pipeline::Sink in services/lib, a factory in builtin_destinations.cc, and
// a backend in tests/contract, whose suite it must pass.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "services/exporter/destination_config.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::exporter {

// All outlive the sink.
struct DestinationDeps {
  http::IoPool& io;
  const Clock& clock;
  telemetry::Telemetry telemetry;
};

// Makes the sink of one type from its section. Does not wait for the destination to be there.
using DestinationFactory = std::function<Result<std::unique_ptr<pipeline::Sink>>(
    const DestinationConfig& config, const DestinationDeps& deps)>;

// Immutable once filled.
class DestinationRegistry {
 public:
  void add(DestinationType type, DestinationFactory factory);
  // FAILED_PRECONDITION, configuration, when this binary has no such destination.
  Result<std::unique_ptr<pipeline::Sink>> create(const DestinationConfig& config,
                                                 const DestinationDeps& deps) const;

 private:
  std::array<DestinationFactory, kDestinationTypeCount> factories_;
};

// Every destination that is built in.
const DestinationRegistry& builtin_destinations();

}  // namespace spanway::exporter
