#include "services/query/insight/edges.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "services/query/insight/trace_tree.h"
#include "services/query/store/duration_bucket.h"

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;

class EdgeCounter {
 public:
  EdgeCounter(std::span<const SampledTrace> traces, TimeRange counted) : counted_(counted) {
    find_linked(traces);
  }

  void add(const SampledTrace& trace) {
    const TraceTree tree(trace);
    for (const std::size_t index : tree.spans()) {
      const std::size_t parent = tree.parent(index);
      const SampledSpan& span = trace.spans[index];
      const SampledSpan* above = parent == TraceTree::kNone ? nullptr : &trace.spans[parent];
      if (above != nullptr) count_child(*above, span);
      for (const SpanReference& link : span.links) count_link(trace, above, span, link);
    }
    count_peers(trace, tree);
  }

  std::vector<Edge> edges() && {
    count_unanswered();
    std::vector<Edge> result;
    result.reserve(edges_.size());
    for (auto& [key, edge] : edges_) result.push_back(std::move(edge));
    return result;
  }

 private:
  // The spans that links of these traces refer to.
  void find_linked(std::span<const SampledTrace> traces) {
    for (const SampledTrace& trace : traces)
      for (const SampledSpan& span : trace.spans)
        for (const SpanReference& link : span.links) linked_.emplace(link, nullptr);
    if (linked_.empty()) return;
    for (const SampledTrace& trace : traces)
      for (const SampledSpan& span : trace.spans)
        if (const auto found = linked_.find({trace.id, span.id}); found != linked_.end())
          if (found->second == nullptr || span.kind == SpanKind::kProducer) found->second = &span;
  }

  void count_child(const SampledSpan& parent, const SampledSpan& span) {
    if (parent.kind == SpanKind::kProducer && span.kind == SpanKind::kConsumer) {
      count(parent.service, span.service, EdgeKind::kMessaging, span);
    } else if (parent.service != span.service) {
      const bool is_message =
          parent.kind == SpanKind::kProducer || span.kind == SpanKind::kConsumer;
      count(parent.service, span.service, is_message ? EdgeKind::kMessaging : EdgeKind::kCall,
            span);
    }
  }

  void count_link(const SampledTrace& trace, const SampledSpan* parent, const SampledSpan& span,
                  const SpanReference& link) {
    const SampledSpan* from = linked_.at(link);
    if (from == nullptr || from == &span) return;
    // A parent that is linked as well, and a span that repeats the links of its parent.
    if (parent != nullptr) {
      if (link.trace_id == trace.id && link.span_id == parent->id) return;
      if (parent->service == span.service &&
          std::find(parent->links.begin(), parent->links.end(), link) != parent->links.end())
        return;
    }
    const bool is_message = from->kind == SpanKind::kProducer && span.kind == SpanKind::kConsumer;
    if (is_message) {
      count(from->service, span.service, EdgeKind::kMessaging, span);
    } else if (from->service != span.service) {
      count(from->service, span.service, EdgeKind::kLink, span);
    }
  }

  void count_peers(const SampledTrace& trace, const TraceTree& tree) {
    const std::vector<bool> is_answered = answered(trace, tree);
    // Inside of a client span that is answered or names its peer, others are part of that call.
    std::vector<bool> is_part(trace.spans.size(), false);
    for (const std::size_t index : tree.spans()) {
      const SampledSpan& span = trace.spans[index];
      const std::size_t parent = tree.parent(index);
      if (parent != TraceTree::kNone && trace.spans[parent].service == span.service &&
          span.kind != SpanKind::kServer)
        is_part[index] = is_part[parent];
      if (span.kind != SpanKind::kClient) continue;
      if (is_answered[index]) {
        is_part[index] = true;
      } else if (!is_part[index] && !peer_of(span).name.empty()) {
        is_part[index] = true;
        unanswered_.push_back(&span);
      }
    }
  }

  // Client spans with a span of another service, or of a server, below them.
  std::vector<bool> answered(const SampledTrace& trace, const TraceTree& tree) {
    const std::vector<std::size_t>& order = tree.spans();
    std::vector<const std::string*> answerers(trace.spans.size(), nullptr);
    for (auto index = order.rbegin(); index != order.rend(); ++index) {
      const SampledSpan& span = trace.spans[*index];
      const std::size_t parent = tree.parent(*index);
      if (parent != TraceTree::kNone) {
        const bool is_remote =
            span.kind == SpanKind::kServer || span.service != trace.spans[parent].service;
        const std::string* answerer = is_remote ? &span.service : answerers[*index];
        if (answerer != nullptr) answerers[parent] = answerer;
      }
      if (span.kind == SpanKind::kClient && answerers[*index] != nullptr)
        learn_host(span, *answerers[*index]);
    }
    std::vector<bool> result(trace.spans.size());
    for (std::size_t index = 0; index < result.size(); ++index)
      result[index] = answerers[index] != nullptr;
    return result;
  }

  // A host that one service answers for is that service, also for calls that it did not answer.
  void learn_host(const SampledSpan& client, const std::string& service) {
    const Peer peer = peer_of(client);
    if (peer.is_database || peer.name.empty()) return;
    const auto [host, is_new] = services_of_hosts_.emplace(peer.name, service);
    if (!is_new && host->second != service) host->second.clear();
  }

  void count_unanswered() {
    for (const SampledSpan* span : unanswered_) {
      Peer peer = peer_of(*span);
      const auto host = services_of_hosts_.find(peer.name);
      if (!peer.is_database && host != services_of_hosts_.end() && !host->second.empty())
        peer.name = host->second;
      if (peer.name == span->service) continue;
      count(span->service, peer.name, peer.is_database ? EdgeKind::kDatabase : EdgeKind::kCall,
            *span);
    }
  }

  void count(const std::string& parent, const std::string& child, EdgeKind kind,
             const SampledSpan& span) {
    if (!counted_.contains(span.start_unix_nano)) return;
    Edge& edge = edges_[{parent, child, kind}];
    if (edge.calls == 0) {
      edge.parent = parent;
      edge.child = child;
      edge.kind = kind;
    }
    const auto duration = static_cast<std::uint64_t>(std::max<std::int64_t>(span.duration_ns, 0));
    ++edge.calls;
    edge.errors += span.has_failed ? 1 : 0;
    edge.duration_ns += duration;
    ++edge.durations[duration_bucket(duration)];
  }

  const TimeRange counted_;
  std::map<SpanReference, const SampledSpan*> linked_;
  std::vector<const SampledSpan*> unanswered_;
  std::map<std::string, std::string> services_of_hosts_;  // "" for more than one service.
  std::map<std::tuple<std::string, std::string, EdgeKind>, Edge> edges_;
};

}  // namespace

std::string_view to_string(EdgeKind kind) noexcept {
  switch (kind) {
    case EdgeKind::kCall:
      return "call";
    case EdgeKind::kMessaging:
      return "messaging";
    case EdgeKind::kDatabase:
      return "db";
    case EdgeKind::kLink:
      return "link";
  }
  return "";
}

std::vector<Edge> edges_of(std::span<const SampledTrace> traces, TimeRange counted) {
  EdgeCounter counter(traces, counted);
  for (const SampledTrace& trace : traces) counter.add(trace);
  return std::move(counter).edges();
}

}  // namespace spanway::query::insight
