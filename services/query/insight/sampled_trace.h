// A trace in memory, with what the insight reads of it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/query/store/span_query.h"

namespace spanway::query::insight {

// As text; a key occurs once, or its first value counts.
using TextAttributes = std::vector<std::pair<std::string, std::string>>;

// The value of the first of these keys that is present and not empty; "" without one.
std::string_view first_of(const TextAttributes& attributes,
                          std::initializer_list<std::string_view> keys) noexcept;

struct SpanReference {
  TraceId trace_id;
  std::string span_id;
  auto operator<=>(const SpanReference&) const = default;
};

struct SampledSpan {
  std::string id;              // 8 bytes.
  std::string parent_id = {};  // Empty for a root.
  std::string service = {};
  std::string name = {};
  otlp::SpanKind kind = otlp::SpanKind::kUnspecified;
  bool has_failed = false;  // The status is error.
  std::int64_t start_unix_nano = 0;
  std::int64_t duration_ns = 0;    // 0 or more.
  TextAttributes attributes = {};  // The span's.
  TextAttributes resource = {};    // Its resource's, without service.name.
  std::vector<SpanReference> links = {};

  std::int64_t end_unix_nano() const noexcept { return start_unix_nano + duration_ns; }
};

struct SampledTrace {
  TraceId id;
  std::vector<SampledSpan> spans;  // In no order; a span may occur more than once.
};

// A name of spans of one service and kind.
struct OperationKey {
  std::string service;
  std::string name;
  otlp::SpanKind kind = otlp::SpanKind::kUnspecified;
  auto operator<=>(const OperationKey&) const = default;
};

// The service, database or host that a client span says it calls: peer.service; of a database
// "system/namespace", or "system/host"; the host. "" when no attribute names it. `is_database` is
// set for a database.
struct Peer {
  std::string name;
  bool is_database = false;
};
Peer peer_of(const SampledSpan& span);

// The operation without its operands, so that calls that differ in them only are equal: of a
// database the statement; of HTTP, where the name is the method alone, the method, host and path;
// otherwise the name. Literals, numbers, identifiers in paths and lists become "?". At most 200
// bytes.
std::string normalized_operation(const SampledSpan& span);

}  // namespace spanway::query::insight
