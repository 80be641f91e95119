#include "services/query/api/rest/searches.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/base/rfc3339.h"
#include "services/lib/block/text_view.h"

namespace spanway::query::rest {
namespace {

constexpr double kNanosPerMs = 1e6;
constexpr const char* kServiceLabel = "service_name";
// Records that are read at once to find those of a severity.
constexpr std::size_t kLogPage = 1000;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

// Severity numbers of OTLP, four for each name.
struct SeverityRange {
  std::string_view name;
  std::uint8_t begin;
};
constexpr std::array<SeverityRange, 6> kSeverities = {
    {{"TRACE", 1}, {"DEBUG", 5}, {"INFO", 9}, {"WARN", 13}, {"ERROR", 17}, {"FATAL", 21}}};
constexpr std::uint8_t kSeverityNumbers = 4;

Result<std::optional<std::uint8_t>> severity_of(const std::string& name) {
  if (name.empty()) return std::optional<std::uint8_t>();
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const SeverityRange& severity : kSeverities)
    if (severity.name == upper) return std::optional(severity.begin);
  return bad("severity: one of TRACE, DEBUG, INFO, WARN, ERROR and FATAL");
}

// The columns of a block of logs.
class LogRows {
 public:
  explicit LogRows(const block::Block& block) : block_(block) {}
  std::int64_t time(std::size_t row) const { return number<std::int64_t>("ts", row); }
  std::uint8_t severity(std::size_t row) const { return number<std::uint8_t>("severity", row); }
  std::string_view text(std::string_view name, std::size_t row) const {
    const block::Column* column = block_.find(name);
    const auto texts = column == nullptr ? std::nullopt : block::TextView::of(*column);
    return texts ? texts->at(row).value_or("") : std::string_view();
  }
  void append(std::size_t row, JsonWriter& json) const {
    json.begin_object().member("timestamp", unix_nano_to_rfc3339(time(row)));
    json.member("timeUnixNano", std::to_string(time(row)));
    json.member("serviceName", text("service_name", row));
    json.member("severityNumber", int{severity(row)});
    json.member("severityText", text("severity_text", row)).member("body", text("body", row));
    for (const auto& [column, name] :
         {std::pair("trace_id", "traceId"), std::pair("span_id", "spanId")}) {
      const std::string_view id = text(column, row);
      if (id.find_first_not_of('\0') != std::string_view::npos) json.member(name, to_hex(id));
    }
    json.end_object();
  }

 private:
  template <typename T>
  T number(std::string_view name, std::size_t row) const {
    const auto* column = dynamic_cast<const block::FixedColumn*>(block_.find(name));
    return column == nullptr ? T{} : column->values<T>()[row];
  }
  const block::Block& block_;
};

struct LogPage {
  std::size_t rows = 0;
  std::int64_t oldest = 0;
};

// One page of records; appends those of the severity, at most `left` of them.
Result<LogPage> read_page(LogStore& store, const LogSelect& select,
                          std::optional<std::uint8_t> severity, std::size_t& left,
                          QueryContext& context, JsonWriter& json) {
  SPANWAY_ASSIGN(const auto stream, store.select(select, context));
  LogPage page;
  while (true) {
    SPANWAY_ASSIGN(const auto block, stream->next());
    if (!block) return page;
    const LogRows rows(*block);
    for (std::size_t row = 0; row < block->rows(); ++row) {
      ++page.rows;
      page.oldest = rows.time(row);
      const bool fits = !severity || (rows.severity(row) >= *severity &&
                                      rows.severity(row) < *severity + kSeverityNumbers);
      if (!fits || left == 0) continue;
      --left;
      rows.append(row, json);
    }
  }
}

// A text as a part of a regular expression.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0)
      out += '\\';
    out += c;
  }
  return out;
}

std::optional<double> aggregated(const std::string& aggregation,
                                 const std::vector<double>& values) {
  double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least, last = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;  // Stale.
    ++count;
    sum += value;
    least = std::min(least, value);
    most = std::max(most, value);
    last = value;
  }
  if (aggregation == "count") return static_cast<double>(count);
  if (count == 0) return std::nullopt;
  if (aggregation == "sum") return sum;
  if (aggregation == "min") return least;
  if (aggregation == "max") return most;
  if (aggregation == "last") return last;
  return sum / static_cast<double>(count);
}

void append_summary(const TraceSummary& summary, JsonWriter& json) {
  json.begin_object().member("traceId", to_hex(summary.trace_id));
  json.member("rootServiceName", summary.root_service).member("rootName", summary.root_name);
  json.member("startTime", unix_nano_to_rfc3339(summary.begin_unix_nano));
  json.member("startTimeUnixNano", std::to_string(summary.begin_unix_nano));
  json.member("durationMs",
              static_cast<double>(summary.end_unix_nano - summary.begin_unix_nano) / kNanosPerMs);
  json.member("spanCount", summary.spans).member("errorCount", summary.errors);
  json.begin_array("services");
  for (const ServiceSpans& service : summary.services) json.value(service.service);
  json.end_array().end_object();
}

}  // namespace

Status answer_traces(TraceStore& store, const SearchRequest& request, QueryContext& context,
                     AnswerWriter& answer) {
  SpanQuery query{.range = request.range, .limit = request.limit};
  if (!request.service_name.empty())
    query.where = compare(Field::kService, Op::kEqual, request.service_name);
  SPANWAY_ASSIGN(const Found found, store.find(query, context));
  std::vector<TraceId> ids;
  for (const FoundTrace& trace : found.traces) ids.push_back(trace.trace_id);
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("traces");
  for (std::size_t at = 0; at < ids.size(); at += TraceStore::kTraceIdsMax) {
    const std::size_t count = std::min(TraceStore::kTraceIdsMax, ids.size() - at);
    SPANWAY_ASSIGN(const auto summaries,
                   store.summaries(std::span(ids).subspan(at, count), std::nullopt, context));
    for (const TraceSummary& summary : summaries) append_summary(summary, json);
  }
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_logs(LogStore& store, const SearchRequest& request, QueryContext& context,
                   AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto severity, severity_of(request.severity));
  LogSelect select{.range = request.range, .limit = severity ? kLogPage : request.limit};
  if (!request.service_name.empty())
    select.matchers.push_back({kServiceLabel, MatchOp::kEqual, request.service_name});
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("logs");
  std::size_t left = request.limit;
  while (true) {
    const auto page = read_page(store, select, severity, left, context, json);
    if (!page.ok()) {
      // The findings of newer pages are better than nothing.
      if (select.range == request.range || !reached_bound(page.error())) return page.error();
      context.coverage = {.requested = request.range,
                          .searched = {.begin = select.range.end, .end = request.range.end},
                          .complete = false,
                          .why = page.error().message};
      break;
    }
    SPANWAY_TRY(context.budget.keep(out.size()));
    // Records of the very time of the last one, beyond the page, are left out.
    if (page->rows < select.limit || left == 0 || page->oldest <= select.range.begin) break;
    select.range.end = page->oldest;
  }
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_metrics(MetricStore& store, const SearchRequest& request, QueryContext& context,
                      AnswerWriter& answer) {
  constexpr std::array kAggregations = {"", "avg", "sum", "min", "max", "count", "last"};
  if (request.metric_name.empty()) return bad("metric_name: required, as http_requests_total");
  if (std::find(kAggregations.begin(), kAggregations.end(), request.aggregation) ==
      kAggregations.end())
    return bad("aggregation: one of avg, sum, min, max, count and last");
  MetricSelect select{.range = request.range,
                      .matchers = {{kMetricName, MatchOp::kEqual, request.metric_name}}};
  if (!request.service_name.empty())
    select.matchers.push_back({"job", MatchOp::kRegex, "(.*/)?" + quoted(request.service_name)});
  SPANWAY_ASSIGN(const auto stream, store.samples(select, context));
  std::map<Labels, std::pair<double, std::size_t>> series;
  while (true) {
    SPANWAY_ASSIGN(const auto samples, stream->next());
    if (!samples) break;
    if (const auto value = aggregated(request.aggregation, samples->values))
      series[samples->series.labels] = {*value, samples->values.size()};
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("series");
  std::size_t left = request.limit;
  for (const auto& [labels, figures] : series) {
    if (left-- == 0) break;
    json.begin_object().begin_object("labels");
    for (const auto& [name, value] : labels) json.member(name, value);
    json.end_object().member("value", figures.first).member("samples", figures.second);
    json.end_object();
  }
  json.end_array().end_object();
  SPANWAY_TRY(context.budget.keep(out.size()));
  return answer.write(out);
}

Status answer_service_stats(TraceStore& store, TimeRange range, QueryContext& context,
                            AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto rows, store.red({.range = range}, context));
  std::map<std::string, RedRow> services;
  for (const RedRow& row : rows) {
    RedRow& total = services[row.service];
    total.calls += row.calls;
    total.errors += row.errors;
    total.duration_ns += row.duration_ns;
    total.duration_max_ns = std::max(total.duration_max_ns, row.duration_max_ns);
    for (const auto& [bucket, count] : row.durations) total.durations[bucket] += count;
  }
  const TimeRange rounded = rounded_outwards(range, kRollupNanos);
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("startTime", unix_nano_to_rfc3339(rounded.begin));
  json.member("endTime", unix_nano_to_rfc3339(rounded.end)).begin_array("services");
  for (const auto& [name, total] : services) {
    const auto calls = static_cast<double>(total.calls);
    const auto quantile = [&](double part) {
      return duration_quantile_ns(total.durations, part) / kNanosPerMs;
    };
    json.begin_object().member("name", name).member("spanCount", total.calls);
    json.member("errorCount", total.errors);
    json.member("errorRate", static_cast<double>(total.errors) / calls);
    json.member("durationAvgMs", static_cast<double>(total.duration_ns) / calls / kNanosPerMs);
    json.member("durationP50Ms", quantile(0.5)).member("durationP95Ms", quantile(0.95));
    json.member("durationMaxMs", static_cast<double>(total.duration_max_ns) / kNanosPerMs);
    json.end_object();
  }
  json.end_array().end_object();
  return answer.write(out);
}

}  // namespace spanway::query::rest
