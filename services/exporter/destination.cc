#include "services/exporter/destination.h"

#include <string>
#include <utility>

namespace spanway::exporter {

void DestinationRegistry::add(DestinationType type, DestinationFactory factory) {
  factories_[static_cast<std::size_t>(type)] = std::move(factory);
}

Result<std::unique_ptr<pipeline::Sink>> DestinationRegistry::create(
    const DestinationConfig& config, const DestinationDeps& deps) const {
  const DestinationFactory& factory = factories_[static_cast<std::size_t>(config.type)];
  const std::string name(to_string(config.type));
  if (!factory)
    return configuration_error(Code::kFailedPrecondition,
                               "This exporter has no destination " + name);
  auto sink = factory(config, deps);
  if (!sink.ok()) return std::move(sink).error().with_context("destination." + name);
  return sink;
}

}  // namespace spanway::exporter
