// The spans of a trace as a forest.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "services/query/insight/sampled_trace.h"

namespace spanway::query::insight {

// Each span once, under its parent. A span that is in the trace twice (same id and kind) is read
// once. Where two spans have one id, as Zipkin's client and server, the server is the child of the
// client, and other spans of that parent id are children of the server. Spans whose parents form a
// cycle are left out. Linear in spans, but for sorting; the trace outlives the tree.
class TraceTree {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  explicit TraceTree(const SampledTrace& trace);

  // Indexes in the trace's spans, each parent before its children; siblings by start.
  const std::vector<std::size_t>& spans() const noexcept { return order_; }
  // kNone for a root, and for a span whose parent is missing.
  std::size_t parent(std::size_t span) const noexcept { return parents_[span]; }
  std::span<const std::size_t> children(std::size_t span) const noexcept {
    return std::span(children_).subspan(begins_[span], begins_[span + 1] - begins_[span]);
  }
  // The earliest span without a parent id; kNone when it has not been stored (yet).
  std::size_t root() const noexcept { return root_; }

 private:
  void find_parents(const SampledTrace& trace);
  void list_children(const SampledTrace& trace);
  void put_in_order();

  std::vector<std::size_t> parents_, begins_, children_, order_;
  std::vector<bool> repeats_;  // Spans that another one repeats.
  std::size_t root_ = kNone;
};

}  // namespace spanway::query::insight
