#include "services/query/api/loki/volume_answers.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "services/query/api/loki/log_result_json.h"
#include "services/query/api/loki/loki_parameters.h"
#include "services/query/api/loki/stream_questions.h"

namespace spanway::query::loki {
namespace {

constexpr std::size_t kSeriesDefault = 100;
constexpr std::int64_t kNanosPerMilli = 1'000'000;

struct VolumeQuestion {
  std::vector<LabelMatcher> matchers;
  std::vector<std::string> names;  // Labels by which volumes are summed; empty = all.
  bool by_label = false;           // One volume for each name, not for each label set.
  std::size_t limit = kSeriesDefault;
};

Result<VolumeQuestion> parse_question(const ApiRequest& request) {
  VolumeQuestion question;
  SPANWAY_ASSIGN(question.matchers, parse_selector(request));
  SPANWAY_ASSIGN(question.limit, parse_count(request.parameters, "limit", kSeriesDefault));
  const std::string_view by = request.parameters.get("aggregateBy");
  if (!by.empty() && by != "series" && by != "labels")
    return invalid_argument("invalid aggregation option").with_reason("bad_parameters");
  question.by_label = by == "labels";
  std::string_view targets = request.parameters.get("targetLabels");
  while (!targets.empty()) {
    const std::string_view name = targets.substr(0, targets.find(','));
    targets.remove_prefix(std::min(name.size() + 1, targets.size()));
    if (!name.empty()) question.names.emplace_back(name);
  }
  if (question.names.empty())
    for (const LabelMatcher& matcher : question.matchers) question.names.push_back(matcher.label);
  return question;
}

std::map<Labels, double> sums_of(const VolumeQuestion& question,
                                 const std::vector<StreamVolume>& streams) {
  std::map<Labels, double> sums;
  for (const StreamVolume& one : streams) {
    Labels own;
    for (const auto& label : one.stream.labels)
      if (question.names.empty() || std::find(question.names.begin(), question.names.end(),
                                              label.first) != question.names.end())
        own.push_back(label);
    const auto bytes = static_cast<double>(one.volume.bytes);
    if (!question.by_label) {
      if (!own.empty()) sums[own] += bytes;
      continue;
    }
    for (const auto& label : own) sums[{{label.first, ""}}] += bytes;
  }
  return sums;
}

Status write(logql::QueryResult result, const VolumeQuestion& question, QueryContext& context,
             AnswerWriter& writer) {
  const auto total = [](const logql::ResultSeries& series) {
    double sum = 0;
    for (const logql::ResultPoint& point : series.points) sum += point.value;
    return sum;
  };
  std::stable_sort(result.series.begin(), result.series.end(),
                   [&](const auto& a, const auto& b) { return total(a) > total(b); });
  if (result.series.size() > question.limit) result.series.resize(question.limit);
  const AnswerStats stats{.lines = context.cost.rows_read,
                          .bytes = context.cost.bytes_read,
                          .entries = result.series.size(),
                          .seconds = 0};
  return write_result(result, false, stats, "",
                      [&](std::string_view text) { return writer.write(text); });
}

}  // namespace

Status answer_stats(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                    AnswerWriter& writer) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(parts.clock)));
  SPANWAY_ASSIGN(const auto matchers, parse_selector(request));
  SPANWAY_ASSIGN(const auto streams, streams_with_records(matchers, range, parts.logs, context));
  LogVolume total;
  for (const StreamVolume& one : streams) {
    total.lines += one.volume.lines;
    total.bytes += one.volume.bytes;
  }
  std::string text;
  JsonWriter json(text);
  const auto count = static_cast<std::uint64_t>(streams.size());
  json.begin_object().member("streams", count).member("chunks", count);
  json.member("bytes", total.bytes).member("entries", total.lines).end_object();
  return writer.write(text + "\n");
}

Status answer_volume(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer) {
  SPANWAY_ASSIGN(const VolumeQuestion question, parse_question(request));
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(parts.clock)));
  SPANWAY_ASSIGN(const auto streams,
                 streams_with_records(question.matchers, range, parts.logs, context));
  logql::QueryResult result;
  result.type = logql::ResultType::kVector;
  for (const auto& [labels, bytes] : sums_of(question, streams))
    result.series.push_back({labels, {{range.end / kNanosPerMilli, bytes}}});
  return write(std::move(result), question, context, writer);
}

Status answer_volume_range(const ApiRequest& request, const QueryParts& parts,
                           QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const VolumeQuestion question, parse_question(request));
  SPANWAY_ASSIGN(const auto range, parse_range_query(request.parameters, now_of(parts.clock)));
  if ((range.end - range.start) / range.step > kVolumeStepsMax)
    return invalid_argument("volume_range takes at most " + std::to_string(kVolumeStepsMax) +
                            " steps. Try increasing the value of the step parameter")
        .with_reason("bad_parameters");
  std::map<Labels, std::vector<logql::ResultPoint>> series;
  for (std::int64_t begin = range.start; begin < range.end; begin += range.step) {
    const TimeRange step{begin, std::min(begin + range.step, range.end)};
    SPANWAY_ASSIGN(const auto streams,
                   streams_with_records(question.matchers, step, parts.logs, context));
    for (const auto& [labels, bytes] : sums_of(question, streams))
      series[labels].push_back({step.end / kNanosPerMilli, bytes});
  }
  logql::QueryResult result;
  result.type = logql::ResultType::kMatrix;
  for (auto& [labels, points] : series) result.series.push_back({labels, std::move(points)});
  return write(std::move(result), question, context, writer);
}

}  // namespace spanway::query::loki
