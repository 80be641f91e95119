#include "services/query/insight/trace_tree.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace spanway::query::insight {
namespace {

// The spans of one id.
struct SameId {
  std::size_t client = TraceTree::kNone;
  std::size_t other = TraceTree::kNone;
};

}  // namespace

TraceTree::TraceTree(const SampledTrace& trace)
    : parents_(trace.spans.size(), kNone),
      begins_(trace.spans.size() + 1, 0),
      repeats_(trace.spans.size(), false) {
  find_parents(trace);
  list_children(trace);
  put_in_order();
  for (const std::size_t index : order_) {
    const SampledSpan& span = trace.spans[index];
    if (parents_[index] != kNone || !span.parent_id.empty()) continue;
    if (root_ == kNone || span.start_unix_nano < trace.spans[root_].start_unix_nano) root_ = index;
  }
}

void TraceTree::find_parents(const SampledTrace& trace) {
  std::unordered_map<std::string_view, SameId> by_id;
  by_id.reserve(trace.spans.size());
  for (std::size_t index = 0; index < trace.spans.size(); ++index) {
    const SampledSpan& span = trace.spans[index];
    SameId& same = by_id[span.id];
    std::size_t& place = span.kind == otlp::SpanKind::kClient ? same.client : same.other;
    if (place != kNone) {
      repeats_[index] = true;
    } else {
      place = index;
    }
  }
  for (std::size_t index = 0; index < trace.spans.size(); ++index) {
    const SampledSpan& span = trace.spans[index];
    if (repeats_[index]) continue;
    const SameId& same = by_id[span.id];
    if (same.other == index && same.client != kNone) {
      parents_[index] = same.client;
      continue;
    }
    const auto parent = span.parent_id.empty() ? by_id.end() : by_id.find(span.parent_id);
    if (parent == by_id.end()) continue;
    const SameId& of = parent->second;
    parents_[index] = of.other != kNone ? of.other : of.client;
  }
}

void TraceTree::list_children(const SampledTrace& trace) {
  for (const std::size_t parent : parents_)
    if (parent != kNone) ++begins_[parent + 1];
  for (std::size_t index = 1; index < begins_.size(); ++index) begins_[index] += begins_[index - 1];
  children_.resize(begins_.back());
  std::vector<std::size_t> next(begins_.begin(), begins_.end() - 1);
  for (std::size_t index = 0; index < parents_.size(); ++index)
    if (parents_[index] != kNone) children_[next[parents_[index]]++] = index;
  const auto earlier = [&](std::size_t left, std::size_t right) {
    const SampledSpan &a = trace.spans[left], &b = trace.spans[right];
    return std::tie(a.start_unix_nano, a.id) < std::tie(b.start_unix_nano, b.id);
  };
  for (std::size_t index = 0; index + 1 < begins_.size(); ++index)
    std::sort(children_.begin() + static_cast<std::ptrdiff_t>(begins_[index]),
              children_.begin() + static_cast<std::ptrdiff_t>(begins_[index + 1]), earlier);
}

void TraceTree::put_in_order() {
  order_.reserve(parents_.size());
  for (std::size_t index = 0; index < parents_.size(); ++index)
    if (parents_[index] == kNone && !repeats_[index]) order_.push_back(index);
  for (std::size_t next = 0; next < order_.size(); ++next)
    for (const std::size_t child : children(order_[next])) order_.push_back(child);
}

}  // namespace spanway::query::insight
