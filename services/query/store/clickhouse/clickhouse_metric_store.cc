#include "services/query/store/clickhouse/clickhouse_metric_store.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/series_conditions.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int8_t kDelta = 1;
// A series and a label in memory, without their texts, about.
constexpr std::size_t kSeriesBytes = 128, kLabelBytes = 80;

void on_days(TimeRange range, Select& select) {
  select.sql.add(
      "AND day >= toDate(toDateTime({s_begin:Int64}, 'UTC')) AND day <= "
      "toDate(toDateTime({s_end:Int64}, 'UTC'))");
  select.parameters.add("s_begin", seconds_of(range.begin))
      .add("s_end", seconds_of(range.end - 1));  // The last one of the range.
}

// Points of the series that match, in the range.
void where(const MetricSelect& query, const std::string& tenant, Select& select) {
  const TimeRange range = clamped(query.range);
  const auto whole_ms = [](std::int64_t nanos) { return (nanos + kNanosPerMs - 1) / kNanosPerMs; };
  select.sql.add(
      "WHERE tenant = {tenant:String} AND ts >= fromUnixTimestamp64Milli({begin:Int64}) AND ts < "
      "fromUnixTimestamp64Milli({end:Int64}) AND (metric, series_id) IN (SELECT metric, series_id "
      "FROM series WHERE tenant = {tenant:String}");
  select.parameters.add("tenant", tenant)
      .add("begin", whole_ms(range.begin))
      .add("end", whole_ms(range.end));
  on_days(range, select);
  append_series_conditions(query.matchers, select);
  select.sql.add(") ORDER BY series_id, ts");
}

std::string id_of(const block::Block& block, std::size_t row) {
  const auto* ids = dynamic_cast<const block::FixedColumn*>(block.find("series_id"));
  return ids == nullptr ? std::string() : std::string(ids->text_at(row));
}

// Rows in the order of their series, joined to one series at a time.
class JoinedSeries final : public SeriesStream {
 public:
  JoinedSeries(BlockStreamPtr rows, std::map<std::string, Series> series)
      : rows_(std::move(rows)), series_(std::move(series)) {}

  Result<std::optional<SeriesSamples>> next() override {
    SeriesSamples result;
    std::string id;
    while (true) {
      if (!block_ || row_ == block_->rows()) {
        SPANWAY_ASSIGN(block_, rows_->next());
        row_ = 0;
        if (!block_) break;
      }
      const std::string own = id_of(*block_, row_);
      if (!id.empty() && own != id) break;
      id = own;
      result.times_ms.push_back(numbers<std::int64_t>(*block_, "ts")[row_]);
      result.start_times_ms.push_back(numbers<std::int64_t>(*block_, "start_ts")[row_]);
      result.values.push_back(numbers<double>(*block_, "value")[row_]);
      ++row_;
    }
    if (id.empty()) return std::optional<SeriesSamples>();
    const auto found = series_.find(id);
    if (found == series_.end())
      return transient_error(Code::kUnavailable, "series have changed meanwhile; try again")
          .with_reason("series_changed");
    result.series = std::move(found->second);
    return std::optional<SeriesSamples>(std::move(result));
  }

 private:
  const BlockStreamPtr rows_;
  std::map<std::string, Series> series_;
  std::optional<block::Block> block_;
  std::size_t row_ = 0;
};

}  // namespace

Result<std::vector<Series>> ClickHouseMetricStore::series(std::span<const LabelMatcher> matchers,
                                                          TimeRange range, QueryContext& context) {
  SPANWAY_TRY(LabelMatchers::create(matchers));
  Select select{.sql = {"SELECT series_id, any(metric) AS name, any(labels) AS found, "
                        "toInt8(any(type)) AS kind, toInt8(any(temporality)) AS added FROM series "
                        "WHERE tenant = {tenant:String}"}};
  select.parameters.add("tenant", context.tenant);
  on_days(clamped(range), select);
  append_series_conditions(matchers, select);
  select.sql.add("GROUP BY series_id");
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::vector<Series> result;
  std::size_t bytes = context.budget.memory.bytes();
  for (const block::Block& block : blocks) {
    const auto* maps = dynamic_cast<const block::ListColumn*>(block.find("found"));
    const auto metrics = block::TextView::of(*block.find("name"));
    if (maps == nullptr || !metrics) continue;
    const auto names = block::TextView::of(maps->nested(0));
    const auto values = block::TextView::of(maps->nested(1));
    for (std::size_t row = 0; names && values && row < block.rows(); ++row) {
      Series& series = result.emplace_back();
      series.id = id_of(block, row);
      series.type = static_cast<SeriesType>(numbers<std::int8_t>(block, "kind")[row]);
      series.is_delta = numbers<std::int8_t>(block, "added")[row] == kDelta;
      series.labels.emplace_back(kMetricName, metrics->at(row).value_or(""));
      for (std::size_t at = maps->begin_of(row); at < maps->end_of(row); ++at)
        series.labels.emplace_back(names->at(at).value_or(""), values->at(at).value_or(""));
      bytes += kSeriesBytes;
      for (const auto& [name, value] : series.labels)
        bytes += kLabelBytes + name.size() + value.size();
      SPANWAY_TRY(context.budget.keep(bytes));
    }
  }
  return result;
}

Result<std::vector<MetricMetadata>> ClickHouseMetricStore::metadata(
    const std::optional<std::string>& metric, TimeRange range, std::size_t limit,
    QueryContext& context) {
  Select select{.sql = {"SELECT metric AS name, toInt8(any(type)) AS kind, "
                        "toInt8(any(temporality)) AS added, any(unit) AS units, any(help) AS helps "
                        "FROM series WHERE tenant = {tenant:String}"}};
  select.parameters.add("tenant", context.tenant).add("limit", static_cast<std::int64_t>(limit));
  on_days(clamped(range), select);
  if (metric) {
    select.sql.add("AND metric = {metric:String}");
    select.parameters.add("metric", *metric);
  }
  select.sql.add("GROUP BY metric ORDER BY metric LIMIT {limit:UInt64}");
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::vector<MetricMetadata> result;
  for (const block::Block& block : blocks) {
    const auto names = block::TextView::of(*block.find("name"));
    const auto units = block::TextView::of(*block.find("units"));
    const auto helps = block::TextView::of(*block.find("helps"));
    for (std::size_t row = 0; names && units && helps && row < block.rows(); ++row)
      result.push_back({.metric = std::string(names->at(row).value_or("")),
                        .type = static_cast<SeriesType>(numbers<std::int8_t>(block, "kind")[row]),
                        .is_delta = numbers<std::int8_t>(block, "added")[row] == kDelta,
                        .unit = std::string(units->at(row).value_or("")),
                        .help = std::string(helps->at(row).value_or(""))});
  }
  return result;
}

Result<SeriesStreamPtr> ClickHouseMetricStore::samples(const MetricSelect& query,
                                                       QueryContext& context) {
  SPANWAY_ASSIGN(auto all, series(query.matchers, query.range, context));
  std::map<std::string, Series> by_id;
  for (Series& one : all) by_id.emplace(one.id, std::move(one));
  Select select{.sql = {"SELECT series_id, ts, start_ts, value FROM samples"}};
  where(query, context.tenant, select);
  return SeriesStreamPtr(
      std::make_unique<JoinedSeries>(open(client_, std::move(select), context), std::move(by_id)));
}

Result<BlockStreamPtr> ClickHouseMetricStore::histograms(const MetricSelect& query,
                                                         QueryContext& context) {
  SPANWAY_TRY(LabelMatchers::create(query.matchers));
  Select select{.sql = {"SELECT * EXCEPT (tenant) FROM histograms"}};
  where(query, context.tenant, select);
  return open(client_, std::move(select), context);
}

}  // namespace spanway::query
