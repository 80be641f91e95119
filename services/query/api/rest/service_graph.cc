#include "services/query/api/rest/service_graph.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"
#include "services/query/api/rest/search_request.h"

namespace spanway::query::rest {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr double kNanosPerMs = 1e6;
constexpr double kMedian = 0.5, kP95 = 0.95;
// Windows are computed again so long after their end, and late by no more.
constexpr std::int64_t kLateNanos = 3 * kRollupNanos;

struct Figures {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  std::uint64_t duration_ns = 0;
  std::map<std::int16_t, std::uint64_t> durations = {};
  void add(const EdgeRow& row) {
    calls += row.calls;
    errors += row.errors;
    duration_ns += row.duration_ns;
    for (const auto& [bucket, count] : row.durations) durations[bucket] += count;
  }
};

struct Edge {
  std::string parent, child, link;
  Figures total = {};
  std::map<std::int64_t, Figures> steps = {};
};

std::vector<Edge> edges_of(const std::vector<EdgeRow>& rows) {
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, Edge> edges;
  for (const EdgeRow& row : rows) {
    auto [found, is_new] =
        edges.try_emplace({row.parent, row.child, row.link}, Edge{row.parent, row.child, row.link});
    found->second.total.add(row);
    found->second.steps[row.begin_unix_nano].add(row);
  }
  std::vector<Edge> result;
  result.reserve(edges.size());
  for (auto& [key, edge] : edges) result.push_back(std::move(edge));
  std::stable_sort(result.begin(), result.end(),
                   [](const Edge& a, const Edge& b) { return a.total.calls > b.total.calls; });
  return result;
}

void append_quantile(std::string_view name, const Figures& figures, double part, JsonWriter& json) {
  json.key(name);
  if (figures.durations.empty())
    json.null();
  else
    json.value(duration_quantile_ns(figures.durations, part) / kNanosPerMs);
}

void append_edge(const Edge& edge, const Steps& steps, JsonWriter& json) {
  const Figures& total = edge.total;
  json.begin_object().member("parent", edge.parent).member("child", edge.child);
  json.member("link", edge.link).member("calls", total.calls).member("errors", total.errors);
  json.key("durationAvgMs");
  if (total.durations.empty() || total.calls == 0)
    json.null();
  else
    json.value(static_cast<double>(total.duration_ns) / static_cast<double>(total.calls) /
               kNanosPerMs);
  append_quantile("durationP50Ms", total, kMedian, json);
  append_quantile("durationP95Ms", total, kP95, json);
  const Figures none;
  const auto append = [&](std::string_view key, auto value) {
    json.begin_array(key);
    for (std::int64_t at = steps.range.begin; at < steps.range.end; at += steps.step_ns) {
      const auto found = edge.steps.find(at);
      value(found == edge.steps.end() ? none : found->second);
    }
    json.end_array();
  };
  append("callsByStep", [&](const Figures& figures) { json.value(figures.calls); });
  append("errorsByStep", [&](const Figures& figures) { json.value(figures.errors); });
  append("durationP95MsByStep", [&](const Figures& figures) {
    if (figures.durations.empty())
      json.null();
    else
      json.value(duration_quantile_ns(figures.durations, kP95) / kNanosPerMs);
  });
  json.end_object();
}

void append_windows(const std::vector<WindowState>& states, const Steps& steps, JsonWriter& json) {
  json.begin_array("windows");
  auto state = states.begin();
  for (std::int64_t at = steps.range.begin; at < steps.range.end; at += steps.step_ns) {
    const char* text = "missing";
    double part = 0;
    for (; state != states.end() && state->begin_unix_nano < at + steps.step_ns; ++state) {
      const bool is_first = part == 0;
      part = is_first ? state->part : std::min(part, state->part);
      if (state->version == WindowVersion::kPreliminary)
        text = "preliminary";
      else if (is_first)
        text = "final";
    }
    json.begin_object().member("startTime", unix_nano_to_rfc3339(at)).member("state", text);
    json.member("part", part).end_object();
  }
  json.end_array();
}

struct Node {
  bool is_database = false;
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
};

void append_nodes(const std::vector<Edge>& edges,
                  const std::map<std::string, std::size_t>& findings,
                  const std::set<std::string>& services, JsonWriter& json) {
  std::map<std::string_view, Node> nodes;
  for (const Edge& edge : edges) {
    nodes[edge.parent];
    Node& child = nodes[edge.child];
    child.is_database = child.is_database || edge.link == "db";
    child.calls += edge.total.calls;
    child.errors += edge.total.errors;
  }
  json.begin_array("nodes");
  for (const auto& [name, node] : nodes) {
    const std::string text(name);
    const bool is_service = services.contains(text);
    const auto own = findings.find(text);
    json.begin_object().member("name", text);
    json.member("kind", is_service ? "service" : node.is_database ? "database" : "peer");
    json.member("calls", node.calls).member("errors", node.errors);
    json.member("findings", own == findings.end() ? std::size_t{0} : own->second).end_object();
  }
  json.end_array();
}

// Each finding of the range once, by service.
Result<std::map<std::string, std::size_t>> count_findings(InsightStore& store, TimeRange range,
                                                          QueryContext& context) {
  SPANWAY_ASSIGN(const auto rows, store.findings({.range = range}, context));
  std::set<std::pair<std::string_view, std::string_view>> seen;
  std::map<std::string, std::size_t> counts;
  for (const FindingRow& row : rows)
    if (seen.emplace(row.kind, row.subject).second) ++counts[row.service];
  return counts;
}

}  // namespace

Result<GraphRequest> parse_graph(const Parameters& parameters, std::int64_t now_unix_nano) {
  GraphRequest request;
  SPANWAY_ASSIGN(request.steps, parse_steps(parameters, now_unix_nano));
  if (const std::string_view limit = parameters.get("limit"); !limit.empty()) {
    SPANWAY_ASSIGN(request.limit, parse_limit(limit));
  }
  return request;
}

void cover(const std::vector<WindowState>& states, TimeRange range, std::int64_t now_unix_nano,
           QueryContext& context) {
  if (states.empty()) return;
  const std::int64_t newest = states.back().begin_unix_nano + kRollupNanos;
  if (newest >= std::min(range.end, now_unix_nano - kLateNanos)) return;
  context.coverage = {.requested = range,
                      .searched = {range.begin, newest},
                      .complete = false,
                      .why = "later windows have no spans, or have not been computed yet"};
}

Status answer_graph(InsightStore& store, TraceStore& traces, const GraphRequest& request,
                    std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer) {
  const Steps& steps = request.steps;
  SPANWAY_ASSIGN(const auto states, store.windows(steps.range, context));
  SPANWAY_ASSIGN(const auto rows, store.edges(steps.range, steps.step_ns, context));
  SPANWAY_ASSIGN(const auto findings, count_findings(store, steps.range, context));
  SPANWAY_ASSIGN(const auto names, traces.services(steps.range, context));
  cover(states, steps.range, now_unix_nano, context);
  std::vector<Edge> edges = edges_of(rows);
  // Spans may be kept for less time than edges: who calls others is a service as well.
  std::set<std::string> services(names.begin(), names.end());
  for (const Edge& edge : edges) services.insert(edge.parent);
  const std::size_t left_out = edges.size() > request.limit ? edges.size() - request.limit : 0;
  edges.resize(edges.size() - left_out);
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("startTime", unix_nano_to_rfc3339(steps.range.begin));
  json.member("endTime", unix_nano_to_rfc3339(steps.range.end));
  json.member("stepSeconds", steps.step_ns / kNanosPerSecond);
  json.member("kept", store.is_durable() ? "store" : "memory");
  append_windows(states, steps, json);
  append_nodes(edges, findings, services, json);
  json.begin_array("edges");
  for (const Edge& edge : edges) {
    append_edge(edge, steps, json);
    SPANWAY_TRY(context.budget.keep(out.size()));
  }
  json.end_array().member("leftOut", left_out).end_object();
  return answer.write(out);
}

}  // namespace spanway::query::rest
