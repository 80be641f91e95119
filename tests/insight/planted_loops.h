// Operations that call in a loop, and others that only resemble them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {

struct PlantedLoops {
  std::vector<SampledTrace> traces;
  std::set<std::string> looping;  // Names of the parents' operations.
};

// 40 operations of 5 to 10 traces: loops of 10 to 60 calls (databases, HTTP), some of which overlap
// by jitter; parallel calls, workers of a pool, retries, short loops, different calls, calls of
// many parents, loops that do not call.
PlantedLoops plant_loops(std::uint64_t seed);

}  // namespace spanway::query::insight
