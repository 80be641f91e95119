#include "services/query/api/rest/finding_list.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"
#include "services/query/api/rest/search_request.h"
#include "services/query/api/rest/service_graph.h"

namespace spanway::query::rest {
namespace {

// By the name of a kind, the unit of its baseline and of what was observed.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kUnits = {{
    {"latency_regression", "ns"},
    {"error_rate", "part"},
    {"call_rate", "calls"},
    {"n_plus_one", "calls"},
    {"critical_path", "part"},
    {"relation", "part"},
}};
constexpr std::array<std::string_view, 6> kSpanKinds = {"unspecified", "internal", "server",
                                                        "client",      "producer", "consumer"};

std::string_view unit_of(std::string_view kind) {
  for (const auto& [name, unit] : kUnits)
    if (name == kind) return unit;
  return "";
}

// The same finding in windows in a row.
struct Run {
  std::int64_t begin = 0;
  std::size_t windows = 0;
  const FindingRow* newest = nullptr;
};

// Rows come by time.
std::vector<Run> runs_of(const std::vector<FindingRow>& rows) {
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> last;
  std::vector<Run> runs;
  for (const FindingRow& row : rows) {
    const auto [found, is_new] = last.try_emplace({row.kind, row.subject}, runs.size());
    const bool continues =
        !is_new &&
        row.begin_unix_nano - runs[found->second].newest->begin_unix_nano <= 2 * kRollupNanos;
    if (!continues) {
      found->second = runs.size();
      runs.push_back({.begin = row.begin_unix_nano});
    }
    Run& run = runs[found->second];
    ++run.windows;
    run.newest = &row;
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    return std::tuple(-a.newest->begin_unix_nano, -a.newest->score, a.newest->kind,
                      a.newest->subject) < std::tuple(-b.newest->begin_unix_nano, -b.newest->score,
                                                      b.newest->kind, b.newest->subject);
  });
  return runs;
}

void append_run(const Run& run, std::int64_t newest_window, JsonWriter& json) {
  const FindingRow& row = *run.newest;
  const auto span_kind = static_cast<std::size_t>(std::max(row.span_kind, 0));
  json.begin_object().member("kind", row.kind).member("service", row.service);
  json.member("operation", row.operation);
  json.member("spanKind", kSpanKinds[span_kind < kSpanKinds.size() ? span_kind : 0]);
  json.member("subject", row.subject).member("token", row.token).member("symptom", row.symptom);
  json.member("startTime", unix_nano_to_rfc3339(run.begin));
  json.member("endTime", unix_nano_to_rfc3339(row.begin_unix_nano + kRollupNanos));
  json.member("windows", run.windows);
  json.member("isOpen", row.begin_unix_nano >= newest_window);
  json.member("score", row.score).member("baseline", row.baseline);
  json.member("observed", row.observed).member("unit", unit_of(row.kind));
  json.begin_object("numbers");
  for (const auto& [name, number] : row.numbers) json.member(name, number);
  json.end_object().begin_array("also");
  for (const std::string& token : row.also) json.value(token);
  json.end_array().begin_array("traceIds");
  for (const TraceId& id : row.trace_ids) json.value(to_hex(id));
  json.end_array().end_object();
}

}  // namespace

Result<FindingsRequest> parse_findings(const Parameters& parameters, std::int64_t now_unix_nano) {
  FindingsRequest request;
  SPANWAY_ASSIGN(const TimeRange range, parse_range(parameters, now_unix_nano));
  if (const std::string_view limit = parameters.get("limit"); !limit.empty()) {
    SPANWAY_ASSIGN(request.limit, parse_limit(limit));
  }
  request.query.range = rounded_outwards(range, kRollupNanos);
  request.query.service = parameters.get("service");
  for (const std::string_view kind : parameters.all("kind")) {
    if (unit_of(kind).empty())
      return invalid_argument(
                 "kind: must be latency_regression, error_rate, call_rate, n_plus_one, "
                 "critical_path or relation")
          .with_reason("bad_parameters");
    request.query.kinds.emplace_back(kind);
  }
  return request;
}

Status answer_findings(InsightStore& store, const FindingsRequest& request,
                       std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer) {
  const TimeRange range = request.query.range;
  SPANWAY_ASSIGN(const auto states, store.windows(range, context));
  SPANWAY_ASSIGN(const auto rows, store.findings(request.query, context));
  cover(states, range, now_unix_nano, context);
  std::vector<Run> runs = runs_of(rows);
  const std::size_t left_out = runs.size() > request.limit ? runs.size() - request.limit : 0;
  runs.resize(runs.size() - left_out);
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("startTime", unix_nano_to_rfc3339(range.begin));
  json.member("endTime", unix_nano_to_rfc3339(range.end));
  json.member("kept", store.is_durable() ? "store" : "memory");
  json.begin_array("findings");
  const std::int64_t newest = states.empty() ? 0 : states.back().begin_unix_nano;
  for (const Run& run : runs) {
    append_run(run, newest, json);
    SPANWAY_TRY(context.budget.keep(out.size()));
  }
  json.end_array().member("leftOut", left_out).end_object();
  return answer.write(out);
}

}  // namespace spanway::query::rest
