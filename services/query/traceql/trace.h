// A trace in memory, as the engine evaluates it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "services/query/traceql/value.h"

namespace spanway::query::traceql {

using NamedValues = std::vector<std::pair<std::string, Value>>;

struct Event {
  std::string name;
  std::int64_t since_start_ns = 0;  // From the span's start.
  NamedValues attributes = {};
};
struct Link {
  std::string trace_id;  // 16 bytes.
  std::string span_id;   // 8 bytes.
  NamedValues attributes = {};
};
struct Instrumentation {
  std::string name;
  std::string version;
  NamedValues attributes = {};
};

struct Span {
  std::string id;         // 8 bytes.
  std::string parent_id;  // Empty for a root.
  std::string name;
  std::string status_message;
  std::int64_t kind = 0;    // The number of otlp::SpanKind.
  std::int64_t status = 0;  // The number of otlp::StatusCode.
  std::int64_t start_unix_nano = 0;
  std::int64_t duration_ns = 0;
  NamedValues attributes = {};
  std::size_t resource = 0;         // In Trace::resources.
  std::size_t instrumentation = 0;  // In Trace::instrumentations.
  std::vector<Event> events = {};
  std::vector<Link> links = {};

  // Set by complete(). The tree as a nested set: a descendant's [left, right] lies inside. Zeros
  // for a span that no root reaches; parent is the parent's left, and -1 for a root.
  std::int64_t left = 0;
  std::int64_t right = 0;
  std::int64_t parent = 0;
  std::int64_t child_count = 0;
  std::size_t parent_index = kNoParent;

  static constexpr std::size_t kNoParent = static_cast<std::size_t>(-1);
};

struct Trace {
  std::string id;  // 16 bytes.
  std::vector<Span> spans;
  std::vector<NamedValues> resources;
  std::vector<Instrumentation> instrumentations;

  // Set by complete().
  std::int64_t begin_unix_nano = 0;
  std::int64_t end_unix_nano = 0;
  std::string root_service;  // The earliest span without a parent; empty without one.
  std::string root_name;

  // service.name of the span's resource; "" without one.
  const std::string& service_of(const Span& span) const;
  std::size_t memory_bytes() const;
};

// Puts the spans in the order of their start and sets what depends on all of them. As in Tempo, two
// spans of one id are distinguished by their kinds (Zipkin's client and server); with three, and
// without a root, there is no tree.
void complete(Trace& trace);

// The value of that name, or null. The first one wins.
const Value* find(const NamedValues& values, std::string_view name);

}  // namespace spanway::query::traceql
