// The wire scan: one forward pass over a serialized Export request that validates it and finds the
// boundaries of resources, scopes and items, without building objects. Fields may come in any
// order, at any depth (Go encoders write them last to first).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/reject_reason.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

struct ScanLimits {
  std::size_t request_bytes_max = 64u << 20;
  // Resource + scope (+ metric, where it must be cut) fields that every split part repeats; more
  // rejects their items.
  std::size_t prefix_bytes_max = 64u << 10;
  // One item with its prefix must fit a Kafka record. A larger metric passes when it can be cut
  // between its data points.
  std::size_t item_bytes_max = 900u << 10;
  // Nesting of AnyValue: arrays and key-value lists. A plain value has depth 1. Besides, nothing
  // may lie deeper than 100 messages, where other parsers give up.
  std::size_t value_depth_max = 32;
  // Submessages in one request (resources, scopes, items, attributes, unknown fields, ...), so that
  // a small body of empty messages cannot cost unbounded work behind us.
  std::size_t submessages_max = 4'000'000;
};

// A run of bytes of the scanned buffer.
struct Slice {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// One span, metric or log record. `bytes` includes the tag and the length.
struct Item {
  Slice bytes;
  std::uint32_t scope = 0;  // Index into Index::scopes.
  // Its count: data points of a metric, else 1. A rejected item counts as 1 at least.
  std::uint32_t points = 1;
  std::uint32_t placement_hash = 0;  // murmur2 & 0x7fffffff; see placement.h.
  // Offset of the 16 bytes of its trace id; 0 = it has none (metrics, some log records).
  std::uint32_t trace_id_offset = 0;
  RejectReason reject = RejectReason::kNone;
};

// A ScopeSpans/ScopeMetrics/ScopeLogs. Its own fields (all but the items) are the slices
// [prefix_begin, prefix_end) of Index::prefix_slices; its items are [item_begin, item_end).
struct Scope {
  std::uint32_t resource = 0;
  std::uint32_t prefix_begin = 0, prefix_end = 0;
  std::uint32_t prefix_bytes = 0;
  std::uint32_t item_begin = 0, item_end = 0;
  RejectReason reject = RejectReason::kNone;  // Set when it takes all its items with it.
};
// A ResourceSpans/ResourceMetrics/ResourceLogs; its scopes are [scope_begin, scope_end).
struct Resource {
  std::uint32_t prefix_begin = 0, prefix_end = 0;
  std::uint32_t prefix_bytes = 0;
  // Placement of the encoded Resource message; 0 when no item is placed by it.
  std::uint32_t placement_hash = 0;
  std::uint32_t scope_begin = 0, scope_end = 0;
};

// The result of a scan; its slices point into the scanned buffer. Reused from scan to scan, so that
// the steady state allocates nothing.
struct Index {
  Signal signal = Signal::kTraces;
  std::vector<Resource> resources;
  std::vector<Scope> scopes;
  std::vector<Item> items;
  std::vector<Slice> prefix_slices;
  // Unknown fields of the request itself, at most prefix_bytes_max of them: they belong to no item.
  std::vector<Slice> request_slices;
  std::uint64_t accepted = 0;  // Spans, data points or log records.
  // 0 = the request may be forwarded as it is. A broken resource or scope without items counts as
  // 1, too: it must not be passed on.
  std::uint64_t rejected = 0;
  std::array<std::uint64_t, kRejectReasonCount> rejected_by_reason = {};
  // Fields of the request, of resources and of scopes that are not known. They are kept where an
  // item is beside them.
  std::uint64_t unknown_fields = 0;
  // For partial_success: which rule, how often, the first offender's place. Empty without rejects.
  std::string reject_message;
  RejectReason first_reject = RejectReason::kNone;
};

// False when nothing of it may be forwarded. A metric without data points counts as no item, but is
// one.
inline bool keeps_items(const Index& index) noexcept {
  if (index.accepted > 0) return true;
  for (const Item& item : index.items) {
    if (item.reject == RejectReason::kNone) return true;
  }
  return false;
}

// Nothing of it may be forwarded because all of it is content that this version does not read.
// Answered with partial_success: the sender did not break a rule that it could know.
inline bool holds_only_unread(const Index& index) noexcept {
  const auto count = [&index](RejectReason reason) {
    return index.rejected_by_reason[static_cast<std::size_t>(reason)];
  };
  return index.rejected > 0 && !keeps_items(index) &&
         index.rejected ==
             count(RejectReason::kDeprecatedField) + count(RejectReason::kUnknownContent);
}

// A scan that outlives its scanner, for who gets the very same bytes next in this process.
struct Scanned {
  ScanLimits limits;
  Index index;
};
// True when every request that passes `scanned` passes `own`, too.
constexpr bool at_least_as_strict(const ScanLimits& scanned, const ScanLimits& own) noexcept {
  return scanned.request_bytes_max <= own.request_bytes_max &&
         scanned.prefix_bytes_max <= own.prefix_bytes_max &&
         scanned.item_bytes_max <= own.item_bytes_max &&
         scanned.value_depth_max <= own.value_depth_max &&
         scanned.submessages_max <= own.submessages_max;
}
// The memory of an index.
std::size_t memory_of(const Index& index) noexcept;
// The memory that a scanner keeps for the next request: the index of 10,000 spans and more.
inline constexpr std::size_t kOwnIndexBytes = 1u << 20;

// Single-thread. `payload` must stay alive while `index()` is used.
class Scanner {
 public:
  explicit Scanner(ScanLimits limits = {}) : limits_(limits) {}
  // Broken framing, or a limit of the request exceeded: INVALID_ARGUMENT or
  // RESOURCE_EXHAUSTED, both data; the index is empty then. Rejected items are not an error here,
  // even when all are.
  // `memory`, where given, is grown by what the index takes above kOwnIndexBytes: when it cannot
  // be, RESOURCE_EXHAUSTED, transient ("no_memory"), or data when it never could
  // ("index_too_large").
  Status scan(Signal signal, std::string_view payload, Permit* memory = nullptr);
  // Releases the memory of an unusually large request, and clears the index if it was one:
  // after its index has been used and before its permit goes.
  void release_excess() noexcept;
  const Index& index() const noexcept { return index_; }
  const ScanLimits& limits() const noexcept { return limits_; }

 private:
  ScanLimits limits_;
  Index index_;
  std::vector<Slice> resource_slices_;  // Prefix of the resource being read; kept for its memory.
};

}  // namespace spanway::otlp
