#include "services/query/series/store_series_source.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <utility>

#include "services/query/series/histogram_parts.h"
#include "services/query/series/read_plan.h"

namespace spanway::query {
namespace {

using promql::PointSeries;

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kMsMax = std::numeric_limits<std::int64_t>::max() / kNanosPerMs - 1;
// More metrics are read together, with series that do not match.
constexpr std::size_t kSingleReadsMax = 8;
// A histogram on the heap, without its buckets, about.
constexpr std::size_t kHistogramBytes = 256;

// Without its points, which the engine counts.
std::size_t memory_of(const PointSeries& series) {
  std::size_t bytes = sizeof(series);
  for (const auto& [name, value] : series.labels)
    bytes += 2 * sizeof(std::string) + name.size() + value.size();
  for (const promql::Point& point : series.points)
    if (point.h)
      bytes += kHistogramBytes +
               (point.h->positive.size() + point.h->negative.size()) * sizeof(promql::Bucket);
  return bytes;
}

PointSeries points_of(SeriesSamples samples) {
  PointSeries result;
  result.labels = std::move(samples.series.labels);
  promql::sort_labels(result.labels);
  double total = 0;
  for (std::size_t i = 0; i < samples.times_ms.size(); ++i) {
    if (i > 0 && samples.times_ms[i] == samples.times_ms[i - 1]) continue;
    promql::Point point{samples.times_ms[i], samples.values[i], nullptr, samples.start_times_ms[i]};
    if (samples.series.is_delta && !promql::is_stale(point)) point.f = total += point.f;
    result.points.push_back(std::move(point));
  }
  return result;
}

// Numbers first, then histograms, one metric after the other.
class StoreStream final : public promql::SourceStream {
 public:
  StoreStream(MetricStore& store, QueryContext& context, StoreSeriesSource& source,
              Selection selection, ReadPlan plan, TimeRange range)
      : store_(store),
        context_(context),
        source_(source),
        selection_(std::move(selection)),
        plan_(std::move(plan)),
        range_(range) {
    if (plan_.histogram_metrics.size() > kSingleReadsMax) {
      histogram_reads_.push_back(selection_.of_stored(std::nullopt));
    } else {
      for (const std::string& metric : plan_.histogram_metrics)
        histogram_reads_.push_back(selection_.of_stored(metric));
    }
  }

  Result<std::optional<PointSeries>> next() override {
    SPANWAY_TRY(source_.check());
    SPANWAY_ASSIGN(auto series, next_number());
    if (!series) {
      SPANWAY_ASSIGN(series, next_part());
    }
    if (series)
      SPANWAY_TRY(context_.budget.keep(context_.budget.memory.bytes() + memory_of(*series)));
    return series;
  }

 private:
  Result<std::optional<PointSeries>> next_number() {
    if (plan_.numbers.empty()) return std::optional<PointSeries>();
    if (!numbers_) {
      SPANWAY_ASSIGN(numbers_,
                     store_.samples({.range = range_, .matchers = selection_.all()}, context_));
    }
    SPANWAY_ASSIGN(auto samples, numbers_->next());
    if (samples) return std::optional<PointSeries>(points_of(std::move(*samples)));
    numbers_.reset();
    plan_.numbers.clear();
    return std::optional<PointSeries>();
  }

  Result<std::optional<PointSeries>> next_part() {
    while (parts_.empty()) {
      SPANWAY_ASSIGN(const bool has_more, read_histogram());
      if (!has_more) return std::optional<PointSeries>();
    }
    PointSeries series = std::move(parts_.front());
    parts_.pop_front();
    return std::optional<PointSeries>(std::move(series));
  }

  // The parts of the next stored series; false at the end.
  Result<bool> read_histogram() {
    std::string id;
    std::optional<HistogramParts> parts;
    while (true) {
      SPANWAY_ASSIGN(const bool has_row, next_row());
      const std::string_view own = has_row ? rows_->row(row_).series_id : std::string_view();
      if (!has_row || (!id.empty() && own != id)) break;
      if (id.empty()) {
        id = own;
        if (const auto found = plan_.histograms.find(id); found != plan_.histograms.end())
          parts.emplace(found->second, selection_);
      }
      if (parts) parts->add(rows_->row(row_));
      ++row_;
    }
    if (parts)
      for (PointSeries& one : parts->take()) parts_.push_back(std::move(one));
    return !id.empty();
  }

  // Makes sure that there is a row; false after the last one of the last read.
  Result<bool> next_row() {
    while (!rows_ || row_ == rows_->count()) {
      rows_.reset();
      block_.reset();
      if (!histograms_) {
        if (next_read_ == histogram_reads_.size()) return false;
        SPANWAY_ASSIGN(histograms_,
                       store_.histograms(
                           {.range = range_, .matchers = histogram_reads_[next_read_]}, context_));
        ++next_read_;
      }
      SPANWAY_ASSIGN(block_, histograms_->next());
      if (!block_) {
        histograms_.reset();
        continue;
      }
      SPANWAY_ASSIGN(rows_, HistogramRows::of(*block_));
      row_ = 0;
    }
    return true;
  }

  MetricStore& store_;
  QueryContext& context_;
  StoreSeriesSource& source_;
  const Selection selection_;
  ReadPlan plan_;
  const TimeRange range_;
  SeriesStreamPtr numbers_;
  std::vector<std::vector<LabelMatcher>> histogram_reads_;
  std::size_t next_read_ = 0;
  BlockStreamPtr histograms_;
  std::optional<block::Block> block_;
  std::optional<HistogramRows> rows_;
  std::size_t row_ = 0;
  std::deque<PointSeries> parts_;
};

}  // namespace

TimeRange range_of(std::int64_t begin_ms, std::int64_t end_ms) noexcept {
  return {.begin = std::clamp(begin_ms, -kMsMax, kMsMax) * kNanosPerMs,
          .end = std::clamp(end_ms + (end_ms < kMsMax ? 1 : 0), -kMsMax, kMsMax) * kNanosPerMs};
}

Status StoreSeriesSource::check() {
  if (context_.cancel.cancelled())
    return transient_error(Code::kCancelled, "query was canceled in expression evaluation")
        .with_reason("cancelled");
  if (context_.deadline.passed(clock_.now()))
    return transient_error(Code::kDeadlineExceeded, "query timed out in expression evaluation")
        .with_reason("query_timeout");
  return {};
}

Status StoreSeriesSource::hold(std::size_t points) {
  const std::size_t bytes = points * sizeof(promql::Point);
  Permit& memory = context_.budget.memory;
  if (bytes > held_bytes_)
    SPANWAY_TRY(context_.budget.keep(memory.bytes() + bytes - held_bytes_));
  else
    memory.shrink_to(memory.bytes() - (held_bytes_ - bytes));
  held_bytes_ = bytes;
  return {};
}

Result<std::unique_ptr<promql::SourceStream>> StoreSeriesSource::select(
    const promql::SourceSelect& query) {
  SPANWAY_TRY(check());
  SPANWAY_ASSIGN(Selection selection, Selection::create(query.matchers));
  const TimeRange range = range_of(query.begin_ms, query.end_ms);
  SPANWAY_ASSIGN(ReadPlan plan, plan_reads(store_, selection, range, context_));
  return std::unique_ptr<promql::SourceStream>(std::make_unique<StoreStream>(
      store_, context_, *this, std::move(selection), std::move(plan), range));
}

}  // namespace spanway::query
