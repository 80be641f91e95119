#include "services/query/store/memory/memory_metric_store.h"

#include <algorithm>
#include <utility>

#include "services/lib/block/copy_rows.h"
#include "services/lib/block/text_view.h"

namespace spanway::query {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kDayNanos = 86'400 * std::int64_t{1'000'000'000};
constexpr std::int8_t kDelta = 1;

// True when a part of the day is in the range.
bool is_on(TimeRange range, std::int64_t day) {
  return day * kDayNanos < range.end && (day + 1) * kDayNanos > range.begin;
}

const block::FixedColumn& fixed(const block::Block& rows, std::string_view name) {
  return static_cast<const block::FixedColumn&>(*rows.find(name));
}

Series series_of(const block::Block& rows, std::size_t row) {
  const auto& labels = static_cast<const block::ListColumn&>(*rows.find("labels"));
  const auto names = *block::TextView::of(labels.nested(0));
  const auto values = *block::TextView::of(labels.nested(1));
  Series series;
  series.id = fixed(rows, "series_id").text_at(row);
  series.type = static_cast<SeriesType>(fixed(rows, "type").values<std::int8_t>()[row]);
  series.is_delta = fixed(rows, "temporality").values<std::int8_t>()[row] == kDelta;
  series.labels.emplace_back(kMetricName,
                             block::TextView::of(*rows.find("metric"))->at(row).value_or(""));
  for (std::size_t at = labels.begin_of(row); at < labels.end_of(row); ++at)
    series.labels.emplace_back(names.at(at).value_or(""), values.at(at).value_or(""));
  return series;
}

MetricMetadata metadata_of(const block::Block& rows, std::size_t row, const Series& series) {
  return {.metric = std::string(value_of(series.labels, kMetricName)),
          .type = series.type,
          .is_delta = series.is_delta,
          .unit = std::string(block::TextView::of(*rows.find("unit"))->at(row).value_or("")),
          .help = std::string(block::TextView::of(*rows.find("help"))->at(row).value_or(""))};
}

class CollectedSeries final : public SeriesStream {
 public:
  explicit CollectedSeries(std::vector<SeriesSamples> all) : all_(std::move(all)) {}
  Result<std::optional<SeriesSamples>> next() override {
    if (next_ == all_.size()) return std::optional<SeriesSamples>();
    return std::optional<SeriesSamples>(std::move(all_[next_++]));
  }

 private:
  std::vector<SeriesSamples> all_;
  std::size_t next_ = 0;
};

}  // namespace

Status MemoryMetricStore::add(std::string_view tenant, std::string_view payload) {
  MutexLock lock(mutex_);
  SPANWAY_ASSIGN(auto blocks,
                 converter_.convert(otlp::Signal::kMetrics, payload, {.tenant = tenant}));
  auto entry = std::make_shared<Entry>();
  entry->tenant = tenant;
  entry->bytes = blocks.memory_bytes();
  for (const auto& dictionary : blocks.dictionaries) {
    if (dictionary.table != "series") continue;
    for (std::size_t row = 0; row < dictionary.rows.rows(); ++row) {
      Series series = series_of(dictionary.rows, row);
      MetricMetadata metadata = metadata_of(dictionary.rows, row, series);
      entry->series.push_back({.series = std::move(series),
                               .metadata = std::move(metadata),
                               .day = fixed(dictionary.rows, "day").values<std::uint16_t>()[row]});
    }
  }
  for (auto& data : blocks.data) {
    if (data.table == "samples") entry->samples.push_back(std::move(data.rows));
    if (data.table == "histograms") entry->histograms.push_back(std::move(data.rows));
  }
  return ring_.push(std::move(entry));
}

MemoryMetricStore::Entries MemoryMetricStore::entries_of(const std::string& tenant) const {
  MutexLock lock(mutex_);
  return ring_.of_tenant(tenant);
}

Result<std::vector<Series>> MemoryMetricStore::series(std::span<const LabelMatcher> matchers,
                                                      TimeRange range, QueryContext& context) {
  SPANWAY_ASSIGN(const auto labels, LabelMatchers::create(matchers));
  ++context.cost.statements;
  std::map<std::string, Series> found;
  for (const auto& entry : entries_of(context.tenant))
    for (const DaySeries& one : entry->series)
      if (is_on(range, one.day) && labels.matches(one.series.labels))
        found.emplace(one.series.id, one.series);
  std::vector<Series> result;
  for (auto& [id, series] : found) result.push_back(std::move(series));
  return result;
}

Result<std::vector<MetricMetadata>> MemoryMetricStore::metadata(
    const std::optional<std::string>& metric, TimeRange range, std::size_t limit,
    QueryContext& context) {
  ++context.cost.statements;
  std::map<std::string, MetricMetadata> found;
  for (const auto& entry : entries_of(context.tenant))
    for (const DaySeries& one : entry->series)
      if (is_on(range, one.day) && (!metric || *metric == one.metadata.metric))
        found.insert_or_assign(one.metadata.metric, one.metadata);
  std::vector<MetricMetadata> result;
  for (auto& [name, one] : found)
    if (result.size() < limit) result.push_back(std::move(one));
  return result;
}

Status MemoryMetricStore::each(const Entries& entries, Blocks blocks, const MetricSelect& query,
                               QueryContext& context, const Visit& visit) const {
  SPANWAY_ASSIGN(const auto labels, LabelMatchers::create(query.matchers));
  ++context.cost.statements;
  for (const auto& entry : entries) {
    std::map<std::string_view, const Series*> by_id;
    for (const DaySeries& one : entry->series)
      if (labels.matches(one.series.labels)) by_id.emplace(one.series.id, &one.series);
    for (const block::Block& rows : (*entry).*blocks) {
      if (context.cancel.cancelled())
        return transient_error(Code::kCancelled, "the query was cancelled")
            .with_reason("cancelled");
      context.cost.rows_read += rows.rows();
      context.cost.bytes_read += rows.memory_bytes();
      const auto times = fixed(rows, "ts").values<std::int64_t>();
      for (std::size_t row = 0; row < rows.rows(); ++row) {
        if (!query.range.contains(times[row] * kNanosPerMs)) continue;
        const auto found = by_id.find(fixed(rows, "series_id").text_at(row));
        if (found != by_id.end()) visit(rows, row, *found->second, times[row]);
      }
    }
  }
  return {};
}

Result<SeriesStreamPtr> MemoryMetricStore::samples(const MetricSelect& query,
                                                   QueryContext& context) {
  struct Sample {
    std::int64_t start_ms;
    double value;
  };
  std::map<std::string, std::pair<const Series*, std::multimap<std::int64_t, Sample>>> by_id;
  const Entries entries = entries_of(context.tenant);
  std::size_t count = 0;
  SPANWAY_TRY(each(
      entries, &Entry::samples, query, context,
      [&](const block::Block& rows, std::size_t row, const Series& series, std::int64_t time_ms) {
        auto& [own, samples] = by_id[series.id];
        own = &series;
        ++count;
        samples.emplace(time_ms, Sample{fixed(rows, "start_ts").values<std::int64_t>()[row],
                                        fixed(rows, "value").values<double>()[row]});
      }));
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + count * 3 * sizeof(double)));
  std::vector<SeriesSamples> result;
  for (const auto& [id, found] : by_id) {
    SeriesSamples& series = result.emplace_back();
    series.series = *found.first;
    for (const auto& [time, sample] : found.second) {
      series.times_ms.push_back(time);
      series.start_times_ms.push_back(sample.start_ms);
      series.values.push_back(sample.value);
    }
  }
  return SeriesStreamPtr(std::make_unique<CollectedSeries>(std::move(result)));
}

Result<BlockStreamPtr> MemoryMetricStore::histograms(const MetricSelect& query,
                                                     QueryContext& context) {
  std::multimap<std::pair<std::string, std::int64_t>, std::pair<const block::Block*, std::size_t>>
      sorted;
  const Entries entries = entries_of(context.tenant);
  SPANWAY_TRY(each(
      entries, &Entry::histograms, query, context,
      [&](const block::Block& rows, std::size_t row, const Series& series, std::int64_t time_ms) {
        sorted.emplace(std::pair(series.id, time_ms), std::pair(&rows, row));
      }));
  block::Block result;
  for (const auto& [key, place] : sorted) {
    if (result.columns() == 0) result = block::empty_like(*place.first);
    block::append_row(*place.first, place.second, result);
  }
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + result.memory_bytes()));
  return one_block(std::move(result));
}

}  // namespace spanway::query
