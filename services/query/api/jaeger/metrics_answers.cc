#include "services/query/api/jaeger/metrics_answers.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"
#include "services/query/api/jaeger/go_values.h"
#include "services/query/api/jaeger/jaeger_search.h"

namespace spanway::query::jaeger {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr double kNanosPerSecond = 1e9;
constexpr std::int64_t kHourMs = 3'600'000, kStepMs = 5'000, kRateMs = 600'000;
constexpr std::int64_t kMsMax = 9'000'000'000'000;  // Its nanoseconds fit into 64 bits.
constexpr std::int64_t kPointsMax = 11'000;
constexpr int kServer = 2;

struct MetricQuery {
  RedQuery red;
  std::int64_t begin = 0, end = 0, step = 0, rate = 0;  // ns
  double quantile = 0;
};

// Figures of one service or operation, by the begin of their five minutes.
using Series = std::map<std::int64_t, const RedRow*>;

Result<std::int64_t> ms_in(const Parameters& parameters, std::string_view name,
                           std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise * kNanosPerMs;
  const auto number = parse_number(text);
  if (!number || *number < 0 || *number > kMsMax) return bad_parameter(name, "invalid syntax");
  return *number * kNanosPerMs;
}

Result<MetricQuery> parse(Metric metric, const Parameters& parameters, std::int64_t now_unix_nano) {
  MetricQuery query;
  for (const std::string_view service : parameters.all("service"))
    query.red.services.emplace_back(service);
  if (query.red.services.empty())
    return bad_parameter("service", "please provide at least one service name");
  if (metric == Metric::kLatencies) {
    const std::string_view text = parameters.get("quantile");
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), query.quantile);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
        !(query.quantile >= 0 && query.quantile <= 1))
      return bad_parameter("quantile", "a number from 0 to 1 is required");
  }
  if (const std::string_view text = parameters.get("groupByOperation"); !text.empty()) {
    const auto flag = parse_bool(text);
    if (!flag) return bad_parameter("groupByOperation", "invalid syntax");
    query.red.by_name = *flag;
  }
  for (const std::string_view name : parameters.all("spanKind")) {
    const auto kind = kind_number(name);
    if (!kind)
      return bad_parameter("spanKind", "unsupported span kind: '" + std::string(name) + "'");
    query.red.kinds.push_back(*kind);
  }
  if (query.red.kinds.empty()) query.red.kinds = {kServer};
  SPANWAY_ASSIGN(query.end, ms_in(parameters, "endTs", now_unix_nano / kNanosPerMs));
  SPANWAY_ASSIGN(const std::int64_t lookback, ms_in(parameters, "lookback", kHourMs));
  SPANWAY_ASSIGN(query.step, ms_in(parameters, "step", kStepMs));
  SPANWAY_ASSIGN(query.rate, ms_in(parameters, "ratePer", kRateMs));
  query.begin = std::max<std::int64_t>(query.end - lookback, 0);
  if (query.step == 0 || (query.end - query.begin) / query.step >= kPointsMax)
    return bad_parameter("step", "at most " + std::to_string(kPointsMax) + " points are returned");
  query.rate =
      std::max((query.rate + kRollupNanos - 1) / kRollupNanos, std::int64_t{1}) * kRollupNanos;
  query.red.range = {.begin = std::max<std::int64_t>(query.begin - query.rate - kRollupNanos, 0),
                     .end = query.end};
  return query;
}

std::optional<double> point_at(const Series& series, std::int64_t time, Metric metric,
                               const MetricQuery& query) {
  const std::int64_t end = time / kRollupNanos * kRollupNanos;
  std::uint64_t calls = 0, errors = 0;
  std::map<std::int16_t, std::uint64_t> durations;
  for (auto it = series.lower_bound(end - query.rate); it != series.end() && it->first < end;
       ++it) {
    calls += it->second->calls;
    errors += it->second->errors;
    for (const auto& [bucket, count] : it->second->durations) durations[bucket] += count;
  }
  if (calls == 0) return std::nullopt;
  switch (metric) {
    case Metric::kCalls:
      return static_cast<double>(calls) / (static_cast<double>(query.rate) / kNanosPerSecond);
    case Metric::kErrors:
      return static_cast<double>(errors) / static_cast<double>(calls);
    case Metric::kLatencies:
      break;
  }
  return duration_quantile_ns(durations, query.quantile) / static_cast<double>(kNanosPerMs);
}

void append_head(Metric metric, const MetricQuery& query, JsonWriter& json) {
  std::string name, help;
  switch (metric) {
    case Metric::kCalls:
      name = "call_rate";
      help = "calls/sec, grouped by service";
      break;
    case Metric::kErrors:
      name = "error_rate";
      help = "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service";
      break;
    case Metric::kLatencies: {
      JsonWriter(help).fixed(query.quantile, 2);
      name = "latencies";
      help += "th quantile latency, grouped by service";
    }
  }
  json.begin_object().member("name",
                             (query.red.by_name ? "service_operation_" : "service_") + name);
  json.member("type", "GAUGE");
  json.member("help", query.red.by_name ? help + " & operation" : help);
}

void append_series(const std::string& service, const std::string& operation, const Series& series,
                   Metric metric, const MetricQuery& query, JsonWriter& json) {
  json.begin_object().begin_array("labels");
  if (query.red.by_name)
    json.begin_object().member("name", "operation").member("value", operation).end_object();
  json.begin_object().member("name", "service_name").member("value", service).end_object();
  json.end_array().begin_array("metricPoints");
  for (std::int64_t time = query.begin; time <= query.end; time += query.step) {
    const auto point = point_at(series, time, metric, query);
    if (!point) continue;
    json.begin_object().begin_object("gaugeValue").member("doubleValue", *point).end_object();
    json.member("timestamp", unix_nano_to_rfc3339(time)).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

Status answer_metrics(TraceStore& store, Metric metric, const Parameters& parameters,
                      std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const MetricQuery query, parse(metric, parameters, now_unix_nano));
  SPANWAY_ASSIGN(const auto rows, store.red(query.red, context));
  std::map<std::pair<std::string, std::string>, Series> all;
  for (const RedRow& row : rows) all[{row.service, row.name}][row.begin_unix_nano] = &row;
  std::string out;
  JsonWriter json(out);
  append_head(metric, query, json);
  json.begin_array("metrics");
  for (const auto& [names, series] : all) {
    append_series(names.first, names.second, series, metric, query, json);
    SPANWAY_TRY(context.budget.keep(out.size()));
  }
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_min_step(AnswerWriter& answer) {
  return answer.write("{\"data\":" + std::to_string(kRollupNanos / kNanosPerMs) +
                      ",\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}");
}

}  // namespace spanway::query::jaeger
