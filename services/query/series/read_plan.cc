#include "services/query/series/read_plan.h"

#include <utility>

namespace spanway::query {
namespace {

bool is_number(SeriesType type) noexcept {
  return type == SeriesType::kGauge || type == SeriesType::kCounter || type == SeriesType::kUnknown;
}

// A name that a part of this metric has fulfils the conditions on the name.
bool may_take_part(const Selection& selection, const std::string& metric) {
  if (selection.takes_name(metric)) return true;
  for (const std::string_view suffix : {kBucketSuffix, kSumSuffix, kCountSuffix})
    if (selection.takes_name(metric + std::string(suffix))) return true;
  return false;
}

}  // namespace

Result<ReadPlan> plan_reads(MetricStore& store, const Selection& selection, TimeRange range,
                            QueryContext& context) {
  std::vector<std::optional<std::string_view>> metrics = {selection.name()};
  if (metrics[0])
    if (const auto metric = metric_of_part(*metrics[0])) metrics.emplace_back(metric);
  ReadPlan plan;
  for (const auto& metric : metrics) {
    SPANWAY_ASSIGN(auto found, store.series(selection.of_stored(metric), range, context));
    for (Series& one : found) {
      if (is_number(one.type)) {
        if (selection.takes(one.labels)) plan.numbers.push_back(std::move(one));
        continue;
      }
      const std::string name(value_of(one.labels, kMetricName));
      if (!may_take_part(selection, name)) continue;
      plan.histogram_metrics.insert(name);
      plan.histograms.emplace(one.id, std::move(one));
    }
  }
  return plan;
}

}  // namespace spanway::query
