#include "services/query/store/span_metrics/span_metric_store.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "services/query/store/span_metrics/span_series.h"

namespace spanway::query {
namespace {

constexpr std::array kOwnLabels = {std::string_view(kMetricName), std::string_view("service"),
                                   std::string_view("span_kind"), std::string_view("span_name"),
                                   std::string_view("status_code")};
// A row of figures and one of its buckets in memory, about.
constexpr std::size_t kRowBytes = 256, kBucketBytes = 48;

// Conditions on labels that no series here has hold, and the name's does.
Result<bool> may_match(const char* metric, std::span<const LabelMatcher> matchers) {
  std::vector<LabelMatcher> on_name, on_others;
  for (const LabelMatcher& matcher : matchers) {
    if (matcher.label == kMetricName)
      on_name.push_back(matcher);
    else if (std::find(kOwnLabels.begin(), kOwnLabels.end(), matcher.label) == kOwnLabels.end())
      on_others.push_back(matcher);
  }
  SPANWAY_ASSIGN(const auto name, LabelMatchers::create(on_name));
  SPANWAY_ASSIGN(const auto others, LabelMatchers::create(on_others));
  return name.matches({{kMetricName, metric}}) && others.matches({});
}

// Stored series, and then one for each element of the groups.
class CallsStream final : public SeriesStream {
 public:
  CallsStream(SeriesStreamPtr stored, std::vector<RedRow> rows, LabelMatchers matchers, Steps steps,
              TimeRange range)
      : stored_(std::move(stored)),
        rows_(std::move(rows)),
        groups_(grouped(rows_)),
        matchers_(std::move(matchers)),
        steps_(steps),
        range_(range) {}
  Result<std::optional<SeriesSamples>> next() override {
    if (stored_) {
      SPANWAY_ASSIGN(auto series, stored_->next());
      if (series) return series;
      stored_.reset();
    }
    while (next_ < 2 * groups_.size()) {
      const SpanRows& rows = groups_[next_ / 2];
      const bool is_error = next_++ % 2 == 1;
      if (!matchers_.matches(calls_series(*rows.front(), is_error).labels)) continue;
      auto samples = calls_samples(rows, steps_, is_error, range_);
      if (!samples.values.empty()) return std::optional(std::move(samples));
    }
    return std::optional<SeriesSamples>();
  }

 private:
  SeriesStreamPtr stored_;
  const std::vector<RedRow> rows_;
  const std::vector<SpanRows> groups_;
  const LabelMatchers matchers_;
  const Steps steps_;
  const TimeRange range_;
  std::size_t next_ = 0;
};

class LatencyStream final : public BlockStream {
 public:
  LatencyStream(BlockStreamPtr stored, std::vector<RedRow> rows, LabelMatchers matchers,
                Steps steps, TimeRange range)
      : stored_(std::move(stored)),
        rows_(std::move(rows)),
        groups_(grouped(rows_)),
        matchers_(std::move(matchers)),
        steps_(steps),
        range_(range) {}
  Result<std::optional<block::Block>> next() override {
    if (stored_) {
      SPANWAY_ASSIGN(auto block, stored_->next());
      if (block) return block;
      stored_.reset();
    }
    while (next_ < groups_.size()) {
      const SpanRows& rows = groups_[next_++];
      if (!matchers_.matches(latency_series(*rows.front()).labels)) continue;
      block::Block block = latency_points(rows, steps_, range_);
      if (block.rows() > 0) return std::optional(std::move(block));
    }
    return std::optional<block::Block>();
  }

 private:
  BlockStreamPtr stored_;
  const std::vector<RedRow> rows_;
  const std::vector<SpanRows> groups_;
  const LabelMatchers matchers_;
  const Steps steps_;
  const TimeRange range_;
  std::size_t next_ = 0;
};

}  // namespace

Result<bool> SpanMetricStore::is_added(const char* metric, std::span<const LabelMatcher> matchers,
                                       TimeRange range, QueryContext& context) {
  SPANWAY_ASSIGN(const bool may, may_match(metric, matchers));
  if (!may) return false;
  const LabelMatcher name{.label = kMetricName, .op = MatchOp::kEqual, .value = metric};
  SPANWAY_ASSIGN(const auto sent, stored_.series(std::span(&name, 1), range, context));
  return sent.empty();
}

std::int64_t SpanMetricStore::now() const {
  return clock_.system_now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Result<std::vector<RedRow>> SpanMetricStore::read(std::span<const LabelMatcher> matchers,
                                                  std::int64_t step_ns, TimeRange range,
                                                  QueryContext& context) {
  range.end = std::min(range.end, now() + kDayNanos);
  range.begin = std::clamp<std::int64_t>(range.begin, 0, std::max<std::int64_t>(range.end, 0));
  RedQuery query{.range = range, .step_ns = step_ns, .by_name = true, .by_kind = true};
  for (const LabelMatcher& matcher : matchers)
    if (matcher.label == "service" && matcher.op == MatchOp::kEqual)
      query.services = {matcher.value};
  SPANWAY_ASSIGN(auto rows, traces_.red(query, context));
  std::size_t bytes = 0;
  for (const RedRow& row : rows) bytes += kRowBytes + row.durations.size() * kBucketBytes;
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + bytes));
  return rows;
}

Result<std::vector<Series>> SpanMetricStore::series(std::span<const LabelMatcher> matchers,
                                                    TimeRange range, QueryContext& context) {
  SPANWAY_ASSIGN(auto result, stored_.series(matchers, range, context));
  SPANWAY_ASSIGN(const bool has_calls, is_added(kSpanCalls, matchers, range, context));
  SPANWAY_ASSIGN(const bool has_latency, is_added(kSpanLatency, matchers, range, context));
  if (!has_calls && !has_latency) return result;
  SPANWAY_ASSIGN(const auto compiled, LabelMatchers::create(matchers));
  // One row for each service, name and kind.
  constexpr std::int64_t kOneStep = 36'500 * kDayNanos;
  SPANWAY_ASSIGN(const auto rows, read(matchers, kOneStep, range, context));
  const auto add = [&](Series series) {
    if (compiled.matches(series.labels)) result.push_back(std::move(series));
  };
  for (const SpanRows& own : grouped(rows)) {
    const auto has = [&](bool is_error) {
      return std::any_of(own.begin(), own.end(), [&](const RedRow* row) {
        return is_error ? row->errors > 0 : row->calls > row->errors;
      });
    };
    for (const bool is_error : {false, true})
      if (has_calls && has(is_error)) add(calls_series(*own.front(), is_error));
    if (has_latency) add(latency_series(*own.front()));
  }
  return result;
}

Result<std::vector<MetricMetadata>> SpanMetricStore::metadata(
    const std::optional<std::string>& metric, TimeRange range, std::size_t limit,
    QueryContext& context) {
  SPANWAY_ASSIGN(auto result, stored_.metadata(metric, range, limit, context));
  const std::array added = {
      MetricMetadata{.metric = kSpanCalls,
                     .type = SeriesType::kCounter,
                     .unit = "",
                     .help = "Spans, out of the store of traces."},
      MetricMetadata{.metric = kSpanLatency,
                     .type = SeriesType::kHistogram,
                     .unit = "s",
                     .help = "Durations of spans, out of the store of traces."}};
  for (const MetricMetadata& one : added) {
    if (metric && *metric != one.metric) continue;
    const auto place = std::lower_bound(
        result.begin(), result.end(), one,
        [](const MetricMetadata& a, const MetricMetadata& b) { return a.metric < b.metric; });
    if (place == result.end() || place->metric != one.metric) result.insert(place, one);
  }
  if (result.size() > limit) result.resize(limit);
  return result;
}

Result<SeriesStreamPtr> SpanMetricStore::samples(const MetricSelect& query, QueryContext& context) {
  SPANWAY_ASSIGN(auto stored, stored_.samples(query, context));
  SPANWAY_ASSIGN(const bool is_computed,
                 is_added(kSpanCalls, query.matchers, query.range, context));
  if (!is_computed) return stored;
  SPANWAY_ASSIGN(auto matchers, LabelMatchers::create(query.matchers));
  const Steps own = steps_of(query.range, now());
  SPANWAY_ASSIGN(auto rows, read(query.matchers, own.length, query.range, context));
  return SeriesStreamPtr(std::make_unique<CallsStream>(std::move(stored), std::move(rows),
                                                       std::move(matchers), own, query.range));
}

Result<BlockStreamPtr> SpanMetricStore::histograms(const MetricSelect& query,
                                                   QueryContext& context) {
  SPANWAY_ASSIGN(auto stored, stored_.histograms(query, context));
  SPANWAY_ASSIGN(const bool is_computed,
                 is_added(kSpanLatency, query.matchers, query.range, context));
  if (!is_computed) return stored;
  SPANWAY_ASSIGN(auto matchers, LabelMatchers::create(query.matchers));
  const Steps own = steps_of(query.range, now());
  SPANWAY_ASSIGN(auto rows, read(query.matchers, own.length, query.range, context));
  return BlockStreamPtr(std::make_unique<LatencyStream>(std::move(stored), std::move(rows),
                                                        std::move(matchers), own, query.range));
}

}  // namespace spanway::query
