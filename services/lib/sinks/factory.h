// The dependencies of all factories of sinks, and the options that HTTP destinations share.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/shared_sections.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

// All outlive the sink.
struct DestinationDeps {
  http::IoPool& io;
  const Clock& clock;
  telemetry::Telemetry telemetry;
  // By otlp::index_of: what will be sent.
  std::array<bool, 3> signals = {true, true, true};
};

using SinkResult = Result<std::unique_ptr<pipeline::Sink>>;

template <typename SinkType>
SinkResult as_sink(Result<std::unique_ptr<SinkType>> created) {
  if (!created.ok()) return std::move(created).error();
  return std::unique_ptr<pipeline::Sink>(std::move(created).value());
}

// Reads the files of the headers.
Result<HttpOptions> http_options(const HttpConfig& c, std::int64_t in_flight_max);

}  // namespace spanway::sinks
