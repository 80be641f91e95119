#include "services/query/api/rest/service_series.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"
#include "services/query/api/rest/steps.h"

namespace spanway::query::rest {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr double kNanosPerMs = 1e6;
constexpr int kServer = 2, kConsumer = 5;
constexpr double kMedian = 0.5, kP95 = 0.95;
// Rows of the answer, those with most calls: a service may have names that hold ids.
constexpr std::size_t kRowsMax = 1000;

struct Figures {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  std::uint64_t duration_ns = 0;
  std::uint64_t duration_max_ns = 0;
  std::map<std::int16_t, std::uint64_t> durations = {};
  void add(const RedRow& row) {
    calls += row.calls;
    errors += row.errors;
    duration_ns += row.duration_ns;
    duration_max_ns = std::max(duration_max_ns, row.duration_max_ns);
    for (const auto& [bucket, count] : row.durations) durations[bucket] += count;
  }
  double quantile_ms(double part) const {
    return duration_quantile_ns(durations, part) / kNanosPerMs;
  }
};

// One service or operation.
struct Row {
  bool enters = false;  // The figures are those of server and consumer spans alone.
  Figures total;
  std::map<std::int64_t, Figures> steps;
  void add(const RedRow& row) {
    total.add(row);
    steps[row.begin_unix_nano].add(row);
  }
};

bool enters(const RedRow& row) { return row.kind == kServer || row.kind == kConsumer; }

// By service, or by name.
std::map<std::string, Row> by_name(const std::vector<RedRow>& rows, bool is_by_operation) {
  std::map<std::string, Row> all;
  for (const RedRow& row : rows) {
    Row& named = all[is_by_operation ? row.name : row.service];
    named.enters = named.enters || enters(row);
  }
  for (const RedRow& row : rows) {
    Row& named = all[is_by_operation ? row.name : row.service];
    if (!named.enters || enters(row)) named.add(row);
  }
  return all;
}

void append_row(const std::string& name, const Row& row, TimeRange range, std::int64_t step,
                JsonWriter& json) {
  const Figures& total = row.total;
  json.begin_object().member("name", name).member("spans", row.enters ? "entering" : "all");
  json.member("calls", total.calls).member("errors", total.errors);
  json.member("durationAvgMs", static_cast<double>(total.duration_ns) /
                                   static_cast<double>(total.calls) / kNanosPerMs);
  json.member("durationP50Ms", total.quantile_ms(kMedian));
  json.member("durationP95Ms", total.quantile_ms(kP95));
  json.member("durationMaxMs", static_cast<double>(total.duration_max_ns) / kNanosPerMs);
  const Figures none;
  const auto append = [&](std::string_view key, auto value) {
    json.begin_array(key);
    for (std::int64_t at = range.begin; at < range.end; at += step) {
      const auto found = row.steps.find(at);
      value(found == row.steps.end() ? none : found->second);
    }
    json.end_array();
  };
  append("callsByStep", [&](const Figures& figures) { json.value(figures.calls); });
  append("errorsByStep", [&](const Figures& figures) { json.value(figures.errors); });
  append("durationP95MsByStep", [&](const Figures& figures) {
    if (figures.calls == 0)
      json.null();
    else
      json.value(figures.quantile_ms(kP95));
  });
  json.end_object();
}

}  // namespace

Result<SeriesRequest> parse_series(const Parameters& parameters, std::int64_t now_unix_nano) {
  SeriesRequest request;
  SPANWAY_ASSIGN(const Steps steps, parse_steps(parameters, now_unix_nano));
  request.red.step_ns = steps.step_ns;
  request.red.range = steps.range;
  request.red.by_kind = true;
  request.service = parameters.get("service");
  if (!request.service.empty()) {
    request.red.services = {request.service};
    request.red.by_name = true;
  }
  return request;
}

Status answer_series(TraceStore& store, const SeriesRequest& request, QueryContext& context,
                     AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto rows, store.red(request.red, context));
  const auto all = by_name(rows, !request.service.empty());
  std::vector<const std::pair<const std::string, Row>*> shown;
  shown.reserve(all.size());
  for (const auto& row : all) shown.push_back(&row);
  std::stable_sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) {
    return a->second.total.calls > b->second.total.calls;
  });
  const std::size_t left_out = shown.size() > kRowsMax ? shown.size() - kRowsMax : 0;
  shown.resize(shown.size() - left_out);
  const TimeRange range = request.red.range;
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("startTime", unix_nano_to_rfc3339(range.begin));
  json.member("endTime", unix_nano_to_rfc3339(range.end));
  json.member("stepSeconds", request.red.step_ns / kNanosPerSecond);
  json.member("leftOut", left_out);
  json.begin_array(request.service.empty() ? "services" : "operations");
  for (const auto* row : shown) {
    append_row(row->first, row->second, range, request.red.step_ns, json);
    SPANWAY_TRY(context.budget.keep(out.size()));
  }
  json.end_array().end_object();
  return answer.write(out);
}

}  // namespace spanway::query::rest
