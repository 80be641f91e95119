// The wire scan: one forward pass over a serialized Export request that validates it and finds the
// boundaries of resources, scopes and items, without building objects. Fields may come in any
// order, at any depth (Go encoders write them last to first).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

struct ScanLimits {
  std::size_t request_bytes_max = 64u << 20;
  // Resource + scope (+ metric) fields that every split part repeats; more rejects their items.
  std::size_t prefix_bytes_max = 64u << 10;
  // One item with its prefix must fit a Kafka record.
  std::size_t item_bytes_max = 900u << 10;
  // Nesting of AnyValue: arrays and key-value lists.
  std::size_t value_depth_max = 32;
  // Submessages in one request (resources, scopes, items, attributes, ...), so that a small body of
  // empty messages cannot cost unbounded work behind us.
  std::size_t submessages_max = 4'000'000;
};

// Why items were rejected; the numbers are exact.
enum class RejectReason : unsigned char {
  kNone = 0,
  kInvalidUtf8,
  kInvalidTraceId,
  kInvalidSpanId,
  kTooDeep,
  kItemTooLarge,
  kPrefixTooLarge,
  kMalformedItem,
};
std::string_view to_string(RejectReason reason) noexcept;

// A run of bytes of the scanned buffer.
struct Slice {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// One span, metric or log record. `bytes` includes the tag and the length.
struct Item {
  Slice bytes;
  std::uint32_t scope = 0;           // Index into Index::scopes.
  std::uint32_t points = 1;          // What it counts as: data points of a metric, else 1.
  std::uint32_t placement_hash = 0;  // murmur2 & 0x7fffffff; see placement.h.
  RejectReason reject = RejectReason::kNone;
};

// A ScopeSpans/ScopeMetrics/ScopeLogs. Its own fields (all but the items) are the slices
// [prefix_begin, prefix_end) of Index::prefix_slices.
struct Scope {
  std::uint32_t resource = 0;
  std::uint32_t prefix_begin = 0, prefix_end = 0;
  std::uint32_t prefix_bytes = 0;
};
struct Resource {
  std::uint32_t prefix_begin = 0, prefix_end = 0;
  std::uint32_t prefix_bytes = 0;
  std::uint32_t placement_hash = 0;  // Of the encoded Resource message.
};

// What a scan found, into the scanned buffer. Reused from scan to scan, so that the steady state
// allocates nothing.
struct Index {
  Signal signal = Signal::kTraces;
  std::vector<Resource> resources;
  std::vector<Scope> scopes;
  std::vector<Item> items;
  std::vector<Slice> prefix_slices;
  std::uint64_t accepted = 0;  // Spans, data points or log records.
  std::uint64_t rejected = 0;
  // For partial_success: which rule, how often, the first offender's place. Empty without rejects.
  std::string reject_message;
  RejectReason first_reject = RejectReason::kNone;
};

// Single-thread. `payload` must stay alive while `index()` is used.
class Scanner {
 public:
  explicit Scanner(ScanLimits limits = {}) : limits_(limits) {}
  // Broken framing, or a limit of the whole request passed: INVALID_ARGUMENT or
  // RESOURCE_EXHAUSTED, both data. Rejected items are not an error here, even when all are.
  Status scan(Signal signal, std::string_view payload);
  const Index& index() const noexcept { return index_; }
  const ScanLimits& limits() const noexcept { return limits_; }

 private:
  ScanLimits limits_;
  Index index_;
};

}  // namespace spanway::otlp
