#include "services/query/store/filter/dependency_counter.h"

#include <utility>

namespace spanway::query {
namespace {

constexpr std::size_t kSpanBytes = 112, kChildBytes = 64;

std::string key_of(std::string_view trace_id, std::string_view span_id) {
  return std::string(trace_id).append(span_id);
}

}  // namespace

std::uint32_t DependencyCounter::number_of(std::string_view service) {
  const auto known = services_.find(service);
  if (known != services_.end()) return known->second;
  return services_.emplace(service, static_cast<std::uint32_t>(services_.size())).first->second;
}

void DependencyCounter::add(const otlp_blocks::StoredSpan& stored) {
  const otlp::SpanView& span = stored.span;
  const std::uint32_t service = number_of(stored.service_name);
  service_of_.try_emplace(key_of(span.trace_id, span.span_id), service);
  if (span.parent_span_id.empty()) return;
  children_.push_back({.parent = key_of(span.trace_id, span.parent_span_id),
                       .service = service,
                       .is_error = span.status_code == otlp::StatusCode::kError});
}

std::size_t DependencyCounter::memory_bytes() const noexcept {
  return service_of_.size() * kSpanBytes + children_.size() * kChildBytes;
}

std::vector<Dependency> DependencyCounter::take() {
  std::vector<std::string> names(services_.size());
  for (const auto& [name, number] : services_) names[number] = name;
  std::map<std::pair<std::string, std::string>, Dependency> edges;
  for (const Child& child : children_) {
    const auto parent = service_of_.find(child.parent);
    if (parent == service_of_.end()) continue;
    const std::string& caller = names[parent->second];
    const std::string& callee = names[child.service];
    Dependency& edge = edges[{caller, callee}];
    edge.caller = caller;
    edge.callee = callee;
    ++edge.calls;
    if (child.is_error) ++edge.errors;
  }
  std::vector<Dependency> result;
  for (auto& [names_of_edge, edge] : edges) result.push_back(std::move(edge));
  return result;
}

}  // namespace spanway::query
