// Traces that are built around their critical path.
#pragma once

#include <cstdint>
#include <map>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {

struct PlantedPath {
  SampledTrace trace;
  std::map<OperationKey, std::int64_t> self_ns;  // On the path.
};

// Spans whose time is divided at random between themselves and calls that they await, to a depth of
// 7, or as a chain of 2,000; beside them calls that another one outlasts, callbacks that outlive
// their parent, consumers, spans of no duration, and servers whose clocks are wrong.
PlantedPath plant_path(std::uint64_t seed);

}  // namespace spanway::query::insight
