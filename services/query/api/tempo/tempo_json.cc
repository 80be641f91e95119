#include "services/query/api/tempo/tempo_json.h"

#include <algorithm>
#include <cmath>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"

namespace spanway::query::tempo {
namespace {

using traceql::Value;

constexpr const char* kNoRoot = "<root span not yet received>";
constexpr std::int64_t kNanosPerMs = 1'000'000;

void write_scalar(JsonWriter& json, const Value& value) {
  json.begin_object();
  switch (value.type) {
    case traceql::Type::kInt:
      json.member("intValue", std::to_string(value.integer));
      break;
    case traceql::Type::kFloat:
      json.member("doubleValue", value.number);
      break;
    case traceql::Type::kBoolean:
      json.member("boolValue", value.integer != 0);
      break;
    default:
      json.member("stringValue", plain_text(value));
  }
  json.end_object();
}

// An AnyValue.
void write_value(JsonWriter& json, const Value& value) {
  if (!is_array(value.type)) return write_scalar(json, value);
  json.begin_object().begin_object("arrayValue").begin_array("values");
  for (const Value& element : value.elements) write_scalar(json, element);
  json.end_array().end_object().end_object();
}

void write_pair(JsonWriter& json, const std::string& key, const Value& value) {
  json.begin_object().member("key", key).key("value");
  write_value(json, value);
  json.end_object();
}

void write_attributes(JsonWriter& json, const traceql::NamedValues& attributes) {
  json.begin_array("attributes");
  for (const auto& [key, value] : attributes) write_pair(json, key, value);
  json.end_array();
}

void write_labels(JsonWriter& json, const traceql::SeriesLabels& labels) {
  json.begin_array("labels");
  for (const traceql::Label& label : labels) write_pair(json, label.name, label.value);
  json.end_array();
}

std::string trace_id_text(const TraceId& id) {
  std::string text = to_hex(id);
  return text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
}

void write_set(JsonWriter& json, const traceql::ShownSet& set) {
  json.begin_object().begin_array("spans");
  for (const traceql::ShownSpan& span : set.spans) {
    json.begin_object().member("spanID", to_hex(span.id)).member("name", span.name);
    json.member("startTimeUnixNano", std::to_string(span.start_unix_nano));
    json.member("durationNanos", std::to_string(span.duration_ns));
    if (!span.attributes.empty()) write_attributes(json, span.attributes);
    json.end_object();
  }
  json.end_array().member("matched", set.matched);
  if (!set.attributes.empty()) write_attributes(json, set.attributes);
  json.end_object();
}

void write_trace(JsonWriter& json, const traceql::ShownTrace& trace) {
  const bool has_root = !trace.root_service.empty() || !trace.root_name.empty();
  json.begin_object().member("traceID", trace_id_text(trace.id));
  json.member("rootServiceName", has_root ? trace.root_service : std::string(kNoRoot));
  json.member("rootTraceName", trace.root_name);
  json.member("startTimeUnixNano", std::to_string(trace.begin_unix_nano));
  json.member("durationMs", trace.duration_ns / kNanosPerMs);
  // Older Grafana reads the first set alone.
  if (!trace.sets.empty()) {
    json.key("spanSet");
    write_set(json, trace.sets[0]);
  }
  json.begin_array("spanSets");
  for (const traceql::ShownSet& set : trace.sets) write_set(json, set);
  json.end_array().begin_object("serviceStats");
  for (const ServiceSpans& service : trace.services) {
    json.begin_object(service.service).member("spanCount", service.spans);
    if (service.errors > 0) json.member("errorCount", service.errors);
    json.end_object();
  }
  json.end_object().end_object();
}

void write_figures(JsonWriter& json, std::uint64_t traces, std::uint64_t spans,
                   const QueryContext& context) {
  json.begin_object("metrics").member("inspectedTraces", traces);
  json.member("inspectedSpans", std::to_string(spans));
  json.member("inspectedBytes", std::to_string(context.cost.bytes_read));
  json.member("completedJobs", context.coverage.complete ? 1 : 0).member("totalJobs", 1);
  json.end_object();
}

void sort_by_labels(std::vector<traceql::Series>& all) {
  std::sort(all.begin(), all.end(), [](const auto& left, const auto& right) {
    return std::lexicographical_compare(
        left.labels.begin(), left.labels.end(), right.labels.begin(), right.labels.end(),
        [](const traceql::Label& l, const traceql::Label& r) {
          return l.name != r.name ? l.name < r.name : traceql::KeyLess()(l.value, r.value);
        });
  });
}

void write_samples(JsonWriter& json, const traceql::Series& series,
                   const traceql::Intervals& intervals) {
  json.begin_array("samples");
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    if (!std::isfinite(series.values[i])) continue;
    json.begin_object().member("timestampMs", std::to_string(intervals.time_ms(i)));
    json.member("value", series.values[i]).end_object();
  }
  json.end_array();
  if (series.exemplars.empty()) return;
  json.begin_array("exemplars");
  for (const traceql::Exemplar& exemplar : series.exemplars) {
    json.begin_object();
    write_labels(json, exemplar.labels);
    json.member("value", exemplar.value).member("timestampMs", std::to_string(exemplar.time_ms));
    json.end_object();
  }
  json.end_array();
}

bool has_values(const traceql::Series& series) {
  return std::any_of(series.values.begin(), series.values.end(),
                     [](double value) { return std::isfinite(value); });
}

}  // namespace

std::string search_json(const traceql::SearchResult& result, const QueryContext& context) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("traces");
  for (const traceql::ShownTrace& trace : result.traces) write_trace(json, trace);
  json.end_array();
  write_figures(json, result.inspected_traces, result.inspected_spans, context);
  json.end_object();
  return out;
}

Status write_range(traceql::MetricsResult result, const traceql::Intervals& intervals,
                   const QueryContext& context, const WriteText& write) {
  sort_by_labels(result.series);
  const char* before = "{\"series\":[";
  for (const traceql::Series& series : result.series) {
    if (!has_values(series)) continue;
    std::string out = before;
    before = ",";
    std::string one;
    JsonWriter json(one);
    json.begin_object();
    write_labels(json, series.labels);
    write_samples(json, series, intervals);
    json.end_object();
    SPANWAY_TRY(write(out + one));
  }
  std::string figures;
  JsonWriter json(figures);
  json.begin_object();
  write_figures(json, result.inspected_traces, result.inspected_spans, context);
  json.end_object();
  // Behind the series, in their object.
  const bool is_empty = *before == '{';
  return write((is_empty ? std::string(before) : std::string()) + "]," + figures.substr(1));
}

std::string instant_json(traceql::MetricsResult result, const QueryContext& context) {
  sort_by_labels(result.series);
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("series");
  for (const traceql::Series& series : result.series) {
    if (!has_values(series)) continue;
    json.begin_object();
    write_labels(json, series.labels);
    json.member("value", series.values[0]).end_object();
  }
  json.end_array();
  write_figures(json, result.inspected_traces, result.inspected_spans, context);
  json.end_object();
  return out;
}

}  // namespace spanway::query::tempo
