// Services with known edges, and the traces of their calls.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "services/query/insight/edges.h"
#include "tests/insight/trace_builder.h"

namespace spanway::query::insight {

using EdgeKey = std::tuple<std::string, std::string, EdgeKind>;

struct PlantedGraph {
  std::vector<SampledTrace> traces;
  std::map<EdgeKey, std::uint64_t> calls;  // By edge.
};

// 8 to 14 services; calls, messages by parent and by link (also in batches), databases and hosts
// without spans, old and new names of attributes. With what leads astray: clients inside clients,
// retries without an answer, one id for client and server, internal spans, calls of a service to
// itself, spans stored twice, missing internal spans.
PlantedGraph plant_graph(std::uint64_t seed);

}  // namespace spanway::query::insight
