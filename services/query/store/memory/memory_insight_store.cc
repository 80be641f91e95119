#include "services/query/store/memory/memory_insight_store.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace spanway::query {
namespace {

// A node in a map.
constexpr std::size_t kNodeBytes = 48;

std::size_t bytes_of(const WindowResult& result) {
  std::size_t bytes = sizeof(WindowResult) + kNodeBytes;
  for (const EdgeRow& edge : result.edges)
    bytes += sizeof(edge) + edge.parent.capacity() + edge.child.capacity() +
             edge.durations.size() * kNodeBytes;
  for (const FindingRow& finding : result.findings) {
    bytes += sizeof(finding) + finding.subject.capacity() + finding.service.capacity() +
             finding.operation.capacity() + finding.token.capacity();
    bytes += finding.numbers.size() * (sizeof(decltype(finding.numbers)::value_type) + kNodeBytes);
    bytes += finding.trace_ids.size() * (sizeof(TraceId) + kNodeBytes);
    for (const std::string& token : finding.also) bytes += sizeof(token) + token.capacity();
  }
  return bytes;
}

}  // namespace

Status MemoryInsightStore::write(const WindowResult& result, QueryContext& context) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[{result.state.begin_unix_nano, context.tenant}];
  if (entry.bytes > 0 && entry.result.state.version > result.state.version) return {};
  bytes_ -= entry.bytes;
  entry.result = result;
  entry.bytes = bytes_of(result);
  bytes_ += entry.bytes;
  while (bytes_ > bytes_max_ && !entries_.empty()) {
    bytes_ -= entries_.begin()->second.bytes;
    entries_.erase(entries_.begin());
  }
  return {};
}

template <typename Visit>
void MemoryInsightStore::each(TimeRange range, const std::string& tenant,
                              const Visit& visit) const {
  MutexLock lock(mutex_);
  for (auto entry = entries_.lower_bound({range.begin, std::string()});
       entry != entries_.end() && entry->first.first < range.end; ++entry)
    if (entry->first.second == tenant) visit(entry->second.result);
}

Result<std::vector<WindowState>> MemoryInsightStore::windows(TimeRange range,
                                                             QueryContext& context) {
  std::vector<WindowState> states;
  each(range, context.tenant, [&](const WindowResult& result) { states.push_back(result.state); });
  return states;
}

Result<std::vector<EdgeRow>> MemoryInsightStore::edges(TimeRange range, std::int64_t step_ns,
                                                       QueryContext& context) {
  std::map<std::tuple<std::int64_t, std::string, std::string, std::string>, EdgeRow> steps;
  each(range, context.tenant, [&](const WindowResult& result) {
    for (const EdgeRow& edge : result.edges) {
      const std::int64_t begin = edge.begin_unix_nano - edge.begin_unix_nano % step_ns;
      auto [found, is_new] = steps.try_emplace({begin, edge.parent, edge.child, edge.link}, edge);
      EdgeRow& sum = found->second;
      sum.begin_unix_nano = begin;
      if (is_new) continue;
      sum.calls += edge.calls;
      sum.errors += edge.errors;
      sum.duration_ns += edge.duration_ns;
      for (const auto& [bucket, count] : edge.durations) sum.durations[bucket] += count;
    }
  });
  std::vector<EdgeRow> edges;
  edges.reserve(steps.size());
  for (auto& [key, edge] : steps) edges.push_back(std::move(edge));
  return edges;
}

Result<std::vector<FindingRow>> MemoryInsightStore::findings(const FindingQuery& query,
                                                             QueryContext& context) {
  const auto matches = [&](const FindingRow& finding) {
    return (query.service.empty() || finding.service == query.service) &&
           (query.kinds.empty() ||
            std::find(query.kinds.begin(), query.kinds.end(), finding.kind) != query.kinds.end());
  };
  std::vector<FindingRow> findings;
  each(query.range, context.tenant, [&](const WindowResult& result) {
    std::copy_if(result.findings.begin(), result.findings.end(), std::back_inserter(findings),
                 matches);
  });
  return findings;
}

std::size_t MemoryInsightStore::memory_bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace spanway::query
