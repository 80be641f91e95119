// Edges between services, out of the spans of traces.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/insight/sampled_trace.h"

namespace spanway::query::insight {

enum class EdgeKind : unsigned char {
  kCall,       // A span's parent is another service's, or a client names its peer.
  kMessaging,  // Producer to consumer, by parent or by link; both may be one service.
  kDatabase,   // A client without a child names a database.
  kLink,       // A link between spans of two services that are no producer and consumer.
};
std::string_view to_string(EdgeKind kind) noexcept;  // "call", "messaging", "db", "link".

struct Edge {
  std::string parent;
  std::string child;
  EdgeKind kind = EdgeKind::kCall;
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;       // Calls whose span has the status error.
  std::uint64_t duration_ns = 0;  // Sum; of the child's spans, or of the client's without one.
  std::map<std::int16_t, std::uint64_t> durations;  // As RedRow's.
  bool operator==(const Edge&) const = default;
};

// By parent, child and kind, each once. Links are followed to spans of these traces only. A client
// span counts as answered when a span below it is another service's or a server's; of client spans
// inside one another, as of a driver and its transport, the outermost counts. A host for which one
// service answers other calls is that service. Calls whose span, the one that gives the duration,
// starts outside of `counted` are left out: of whole traces, those of one window.
std::vector<Edge> edges_of(std::span<const SampledTrace> traces, TimeRange counted = {});

}  // namespace spanway::query::insight
