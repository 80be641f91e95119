// Traces of one operation, some slow or failed, by a known attribute or by none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {

struct PlantedRelation {
  std::vector<SampledTrace> traces;
  std::map<OperationKey, std::int64_t> slow_ns;
  std::string symptom;  // "slow" or "failed".
  std::string cause;    // "key=value"; "" for none.
};

// 600 to 2,000 traces with 26 keys of 2 to 200 values and ids of their own. 1 to 4 % are slow or
// failed; of those with the cause, which 3 to 25 % have, 25 to 90 %. Keys that follow one another
// (region, zone, node; version, image) are among the causes and beside them.
PlantedRelation plant_relation(std::uint64_t seed);

}  // namespace spanway::query::insight
