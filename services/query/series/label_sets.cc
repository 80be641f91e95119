#include "services/query/series/label_sets.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/query/promql/value.h"
#include "services/query/series/histogram_parts.h"
#include "services/query/series/read_plan.h"

namespace spanway::query {
namespace {

// Findings in the points of one stored series.
struct Seen {
  std::set<std::string> bounds;
  bool is_explicit = false, is_native = false, is_summary = false;
};

Labels named(const Series& series, std::string_view suffix) {
  Labels labels = series.labels;
  promql::sort_labels(labels);
  const std::string name = std::string(value_of(labels, kMetricName)) + std::string(suffix);
  promql::set_label(labels, kMetricName, name);
  return labels;
}

Result<std::map<std::string, Seen>> read_points(MetricStore& store, const Selection& selection,
                                                const ReadPlan& plan, TimeRange range,
                                                QueryContext& context) {
  std::map<std::string, Seen> seen;
  for (const std::string& metric : plan.histogram_metrics) {
    SPANWAY_ASSIGN(
        const auto stream,
        store.histograms({.range = range, .matchers = selection.of_stored(metric)}, context));
    while (true) {
      SPANWAY_ASSIGN(const auto block, stream->next());
      if (!block) break;
      SPANWAY_ASSIGN(const auto rows, HistogramRows::of(*block));
      for (std::size_t i = 0; i < rows.count(); ++i) {
        const HistogramRow row = rows.row(i);
        const auto series = plan.histograms.find(std::string(row.series_id));
        if (series == plan.histograms.end()) continue;
        Seen& own = seen[series->first];
        const HistogramKind kind = kind_of(row, series->second.type);
        own.is_explicit = own.is_explicit || kind == HistogramKind::kExplicit;
        own.is_native = own.is_native || kind == HistogramKind::kExponential;
        own.is_summary = own.is_summary || kind == HistogramKind::kSummary;
        for (std::string& text : bound_texts(row, series->second.type))
          own.bounds.insert(std::move(text));
      }
    }
  }
  return seen;
}

Status visit_parts(const Series& series, const Seen& seen, const Selection& selection,
                   Bounds bounds, const std::function<Status(const Labels& labels)>& visit) {
  const auto add = [&](const Labels& labels) -> Status {
    const bool is_taken = bounds == Bounds::kSkip
                              ? selection.takes_name(value_of(labels, kMetricName))
                              : selection.takes(labels);
    return is_taken ? visit(labels) : Status();
  };
  const auto with_bounds = [&](std::string_view suffix, std::string_view label) -> Status {
    Labels labels = named(series, suffix);
    if (bounds == Bounds::kSkip) return add(labels);
    for (const std::string& bound : seen.bounds) {
      promql::set_label(labels, label, bound);
      SPANWAY_TRY(add(labels));
    }
    return {};
  };
  if (seen.is_native) SPANWAY_TRY(add(named(series, "")));
  if (seen.is_summary) SPANWAY_TRY(with_bounds("", kQuantileLabel));
  if (seen.is_explicit) SPANWAY_TRY(with_bounds(kBucketSuffix, kBoundLabel));
  if (!seen.is_explicit && !seen.is_summary) return {};
  SPANWAY_TRY(add(named(series, kSumSuffix)));
  return add(named(series, kCountSuffix));
}

}  // namespace

Status visit_label_sets(MetricStore& store, std::span<const LabelMatcher> matchers, TimeRange range,
                        Bounds bounds, QueryContext& context,
                        const std::function<Status(const Labels& labels)>& visit) {
  SPANWAY_ASSIGN(const Selection selection, Selection::create(matchers));
  SPANWAY_ASSIGN(ReadPlan plan, plan_reads(store, selection, range, context));
  for (Series& one : plan.numbers) {
    promql::sort_labels(one.labels);
    SPANWAY_TRY(visit(one.labels));
  }
  std::map<std::string, Seen> seen;
  if (bounds == Bounds::kRead) {
    SPANWAY_ASSIGN(seen, read_points(store, selection, plan, range, context));
  } else {
    for (const auto& [id, series] : plan.histograms)
      seen[id] = {.bounds = {},
                  .is_explicit = series.type == SeriesType::kHistogram,
                  .is_native = series.type == SeriesType::kExponentialHistogram,
                  .is_summary = series.type == SeriesType::kSummary};
  }
  for (const auto& [id, own] : seen)
    SPANWAY_TRY(visit_parts(plan.histograms.at(id), own, selection, bounds, visit));
  return {};
}

}  // namespace spanway::query
