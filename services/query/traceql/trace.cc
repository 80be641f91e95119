#include "services/query/traceql/trace.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <unordered_map>

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kServer = 2, kClient = 3;
constexpr std::size_t kSpansOfOneIdMax = 2;
constexpr std::int64_t kRootParent = -1;

using ById = std::unordered_map<std::string_view, std::vector<std::size_t>>;

std::size_t bytes_of(const NamedValues& values) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : values)
    bytes += sizeof(name) + name.size() + value.memory_bytes();
  return bytes;
}

std::size_t find_parent(const std::vector<Span>& spans, const ById& by_id, const Span& span) {
  if (span.parent_id.empty()) return Span::kNoParent;
  const auto found = by_id.find(span.parent_id);
  if (found == by_id.end()) return Span::kNoParent;
  if (found->second.size() == 1) return found->second[0];
  const std::int64_t kind = span.kind == kServer ? kClient : kServer;
  for (const std::size_t index : found->second)
    if (spans[index].kind == kind) return index;
  return Span::kNoParent;
}

// Without recursion: a trace may be as deep as it has spans.
void number_tree(std::vector<Span>& spans, const std::vector<std::vector<std::size_t>>& children,
                 std::size_t root, std::int64_t& next) {
  struct Visit {
    std::size_t span;
    std::size_t next_child;
  };
  spans[root].left = next++;
  spans[root].parent = kRootParent;
  std::vector<Visit> path{{root, 0}};
  while (!path.empty()) {
    Visit& visit = path.back();
    if (visit.next_child == children[visit.span].size()) {
      spans[visit.span].right = next++;
      path.pop_back();
      continue;
    }
    const std::size_t child = children[visit.span][visit.next_child++];
    spans[child].left = next++;
    spans[child].parent = spans[visit.span].left;
    spans[child].parent_index = visit.span;
    path.push_back({child, 0});
  }
}

void build_tree(std::vector<Span>& spans) {
  ById by_id;
  bool has_root = false;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    auto& same = by_id[spans[i].id];
    same.push_back(i);
    if (same.size() > kSpansOfOneIdMax) return;
    has_root = has_root || spans[i].parent_id.empty();
  }
  if (!has_root) return;
  std::vector<std::vector<std::size_t>> children(spans.size());
  for (std::size_t i = 0; i < spans.size(); ++i)
    if (const std::size_t parent = find_parent(spans, by_id, spans[i]); parent != Span::kNoParent)
      children[parent].push_back(i);
  std::int64_t next = 1;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    spans[i].child_count = static_cast<std::int64_t>(children[i].size());
    if (spans[i].parent_id.empty()) number_tree(spans, children, i, next);
  }
}

}  // namespace

const std::string& Trace::service_of(const Span& span) const {
  static const std::string kNone;
  const Value* name =
      span.resource < resources.size() ? find(resources[span.resource], "service.name") : nullptr;
  return name == nullptr ? kNone : name->text;
}

std::size_t Trace::memory_bytes() const {
  std::size_t bytes = sizeof(Trace);
  for (const NamedValues& resource : resources) bytes += bytes_of(resource);
  for (const Instrumentation& one : instrumentations)
    bytes += sizeof(one) + one.name.size() + one.version.size() + bytes_of(one.attributes);
  for (const Span& span : spans) {
    bytes += sizeof(span) + span.name.size() + span.status_message.size();
    bytes += bytes_of(span.attributes);
    for (const Event& event : span.events)
      bytes += sizeof(event) + event.name.size() + bytes_of(event.attributes);
    for (const Link& link : span.links) bytes += sizeof(link) + bytes_of(link.attributes);
  }
  return bytes;
}

const Value* find(const NamedValues& values, std::string_view name) {
  for (const auto& [own, value] : values)
    if (own == name) return &value;
  return nullptr;
}

void complete(Trace& trace) {
  std::sort(trace.spans.begin(), trace.spans.end(), [](const Span& left, const Span& right) {
    return std::tie(left.start_unix_nano, left.id, left.kind) <
           std::tie(right.start_unix_nano, right.id, right.kind);
  });
  trace.begin_unix_nano = trace.spans.empty() ? 0 : trace.spans.front().start_unix_nano;
  trace.end_unix_nano = trace.begin_unix_nano;
  const Span* root = nullptr;
  for (const Span& span : trace.spans) {
    trace.end_unix_nano = std::max(trace.end_unix_nano, span.start_unix_nano + span.duration_ns);
    if (root == nullptr && span.parent_id.empty()) root = &span;
  }
  if (root != nullptr) {
    trace.root_service = trace.service_of(*root);
    trace.root_name = root->name;
  }
  build_tree(trace.spans);
}

}  // namespace spanway::query::traceql
