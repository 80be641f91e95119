#include "services/lib/sinks/debug/factory.h"

#include "services/lib/sinks/debug/debug_sink.h"

namespace spanway::sinks {

SinkResult create_debug(const DestinationConfig& config, const DestinationDeps& deps) {
  const DebugConfig& c = config.debug;
  const DebugSinkOptions options{
      .verbosity = c.verbosity == DebugConfig::Verbosity::kDetailed ? Verbosity::kDetailed
                                                                    : Verbosity::kBasic,
      .detail_bytes_max = c.detail_bytes_max.bytes,
      .lines_per_second_max = static_cast<std::size_t>(c.lines_per_second_max)};
  return std::unique_ptr<pipeline::Sink>(
      std::make_unique<DebugSink>(options, deps.clock, deps.telemetry));
}

}  // namespace spanway::sinks
