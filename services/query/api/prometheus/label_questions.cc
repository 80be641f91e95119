#include "services/query/api/prometheus/label_questions.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/promseries/names.h"
#include "services/query/api/prometheus/parameter_values.h"
#include "services/query/api/prometheus/result_json.h"
#include "services/query/promql/value.h"
#include "services/query/series/label_sets.h"
#include "services/query/series/selection.h"

namespace spanway::query::prometheus {
namespace {

constexpr const char* kTruncated = "results truncated due to limit";
constexpr std::size_t kMetadataMax = 100'000;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

// A text of a set, and a label of a label set, about.
constexpr std::size_t kTextBytes = 192, kLabelBytes = 80;

std::size_t memory_of(const Labels& labels) {
  std::size_t bytes = kTextBytes;
  for (const auto& [name, value] : labels) bytes += kLabelBytes + name.size() + value.size();
  return bytes;
}

bool needs_bounds(const std::vector<LabelMatcher>& matchers) {
  return std::any_of(matchers.begin(), matchers.end(), [](const LabelMatcher& one) {
    return one.label == kBoundLabel || one.label == kQuantileLabel;
  });
}

// Label sets of all selectors of the request; of every series without any.
Status visit(MetricStore& metrics, const ApiRequest& request, const promql::ParseOptions& options,
             Bounds bounds, QueryContext& context,
             const std::function<Status(const Labels&)>& found) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters));
  SPANWAY_ASSIGN(auto selectors, parse_selectors(request.parameters, options));
  if (selectors.empty()) selectors.emplace_back();
  for (const auto& matchers : selectors)
    SPANWAY_TRY(visit_label_sets(metrics, matchers, range,
                                 needs_bounds(matchers) ? Bounds::kRead : bounds, context, found));
  return {};
}

Status write_texts(std::set<std::string> found, std::size_t limit, AnswerWriter& writer) {
  std::vector<std::string> warnings;
  std::vector<std::string> texts(found.begin(), found.end());
  if (limit > 0 && texts.size() > limit) {
    texts.resize(limit);
    warnings.emplace_back(kTruncated);
  }
  std::string out = "{\"status\":\"success\",\"data\":";
  append_texts(texts, out);
  return writer.write(out + notes_json(std::move(warnings), {}) + "}");
}

std::string_view type_of(const MetricMetadata& metadata) {
  if (metadata.is_delta) return "unknown";
  switch (metadata.type) {
    case SeriesType::kGauge:
      return "gauge";
    case SeriesType::kCounter:
      return "counter";
    case SeriesType::kHistogram:
    case SeriesType::kExponentialHistogram:
      return "histogram";
    case SeriesType::kSummary:
      return "summary";
    case SeriesType::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace

Status answer_series(MetricStore& metrics, const ApiRequest& request,
                     const promql::ParseOptions& options, QueryContext& context,
                     AnswerWriter& writer) {
  if (request.parameters.all("match[]").empty()) return bad("no match[] parameter provided");
  if (const auto selectors = parse_selectors(request.parameters, options); !selectors.ok())
    return invalid_parameter("match[]", selectors.error());
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(request.parameters));
  std::set<Labels> found;
  std::size_t bytes = 0;
  SPANWAY_TRY(visit(metrics, request, options, Bounds::kRead, context, [&](const Labels& labels) {
    if (found.insert(labels).second) bytes += memory_of(labels);
    return context.budget.reserve(bytes);
  }));
  SPANWAY_TRY(writer.write("{\"status\":\"success\",\"data\":["));
  std::size_t written = 0;
  for (const Labels& labels : found) {
    if (limit > 0 && written == limit) break;
    std::string text = written++ > 0 ? "," : "";
    append_labels(labels, text);
    SPANWAY_TRY(writer.write(text));
  }
  std::vector<std::string> warnings;
  if (written < found.size()) warnings.emplace_back(kTruncated);
  return writer.write("]" + notes_json(std::move(warnings), {}) + "}");
}

Status answer_labels(MetricStore& metrics, const ApiRequest& request,
                     const promql::ParseOptions& options, QueryContext& context,
                     AnswerWriter& writer) {
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(request.parameters));
  std::set<std::string> names;
  SPANWAY_TRY(visit(metrics, request, options, Bounds::kRead, context, [&](const Labels& labels) {
    for (const auto& [name, value] : labels) names.insert(name);
    return context.budget.reserve(names.size() * kTextBytes);
  }));
  return write_texts(std::move(names), limit, writer);
}

Status answer_label_values(MetricStore& metrics, const ApiRequest& request,
                           const promql::ParseOptions& options, QueryContext& context,
                           AnswerWriter& writer) {
  const std::string name = unescaped_label(request.arguments.get("name"));
  if (!promql::is_label_name(name)) return bad("invalid label name: " + promql::quoted(name));
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(request.parameters));
  const bool is_bound = name == kBoundLabel || name == kQuantileLabel;
  std::set<std::string> values;
  SPANWAY_TRY(visit(metrics, request, options, is_bound ? Bounds::kRead : Bounds::kSkip, context,
                    [&](const Labels& labels) {
                      const std::string_view value = value_of(labels, name);
                      if (!value.empty()) values.emplace(value);
                      return context.budget.reserve(values.size() * kTextBytes);
                    }));
  return write_texts(std::move(values), limit, writer);
}

Status answer_metadata(MetricStore& metrics, const ApiRequest& request, QueryContext& context,
                       AnswerWriter& writer) {
  std::size_t limit = kMetadataMax;
  if (const std::string_view text = request.parameters.get("limit"); !text.empty()) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
      return bad("limit must be a number");
    if (number >= 0) limit = std::min(limit, static_cast<std::size_t>(number));
  }
  std::optional<std::string> metric;
  if (const std::string_view text = request.parameters.get("metric"); !text.empty()) metric = text;
  SPANWAY_ASSIGN(const auto all, metrics.metadata(metric, {}, limit, context));
  SPANWAY_TRY(writer.write("{\"status\":\"success\",\"data\":{"));
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::string text = (i > 0 ? "," : "") + json_quoted(all[i].metric) + ":[";
    JsonWriter json(text);
    json.begin_object().member("type", type_of(all[i]));
    json.member("unit", promseries::unit_name(all[i].unit)).member("help", all[i].help);
    json.end_object();
    SPANWAY_TRY(writer.write(text + "]"));
  }
  return writer.write("}}");
}

}  // namespace spanway::query::prometheus
