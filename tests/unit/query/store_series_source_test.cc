#include "services/query/series/store_series_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "services/lib/promseries/series_converter.h"
#include "services/query/series/label_sets.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using fakes::MetricKind;
using fakes::ProtoMessage;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr std::int64_t kBaseMs = 1'767'225'600'000;
constexpr std::uint64_t kNanosPerMs = 1'000'000;
constexpr std::uint64_t kStaleFlag = 1;
constexpr std::uint64_t kDelta = 1, kCumulative = 2;

template <typename T>
std::string packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
std::string packed_varints(const std::vector<std::uint64_t>& values) {
  std::string bytes;
  for (std::uint64_t value : values) {
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
  }
  return bytes;
}
std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::uint64_t nanos(std::int64_t seconds) {
  return static_cast<std::uint64_t>(kBaseMs + seconds * 1000) * kNanosPerMs;
}

ProtoMessage number(std::int64_t seconds, double value, std::uint64_t flags = 0) {
  return ProtoMessage()
      .fixed64(2, nanos(0))
      .fixed64(3, nanos(seconds))
      .real(4, value)
      .varint(8, flags);
}
ProtoMessage classic(std::int64_t seconds, const std::vector<std::uint64_t>& counts,
                     const std::vector<double>& bounds, double sum, std::uint64_t flags = 0) {
  std::uint64_t count = 0;
  for (const std::uint64_t one : counts) count += one;
  return ProtoMessage()
      .fixed64(2, nanos(0))
      .fixed64(3, nanos(seconds))
      .fixed64(4, count)
      .real(5, sum)
      .bytes(6, packed(counts))
      .bytes(7, packed(bounds))
      .varint(10, flags);
}
ProtoMessage exponential(std::int64_t seconds, int scale, int offset,
                         const std::vector<std::uint64_t>& counts, std::uint64_t zeros,
                         std::uint64_t flags = 0) {
  std::uint64_t count = zeros;
  for (const std::uint64_t one : counts) count += 2 * one;
  ProtoMessage side;
  side.varint(1, zigzag(offset)).bytes(2, packed_varints(counts));
  return ProtoMessage()
      .fixed64(2, nanos(0))
      .fixed64(3, nanos(seconds))
      .fixed64(4, count)
      .real(5, 0.5 * static_cast<double>(count))
      .varint(6, zigzag(scale))
      .fixed64(7, zeros)
      .message(8, side)
      .message(9, side)
      .varint(10, flags);
}
ProtoMessage summary(std::int64_t seconds, double median, double last) {
  const auto quantile = [](double q, double value) {
    return ProtoMessage().real(1, q).real(2, value);
  };
  return ProtoMessage()
      .fixed64(3, nanos(seconds))
      .fixed64(4, 7)
      .real(5, 70)
      .message(6, quantile(0.5, median))
      .message(6, quantile(0.999, last));
}
ProtoMessage with(ProtoMessage point, std::uint32_t field, const std::string& name,
                  const std::string& value) {
  return point.message(field, fakes::otlp_attribute(name, value));
}
ProtoMessage metric(std::string_view name, std::string_view unit, MetricKind kind,
                    const std::vector<ProtoMessage>& points,
                    std::uint64_t temporality = kCumulative) {
  ProtoMessage data;
  for (const ProtoMessage& point : points) data.message(1, point);
  if (kind != MetricKind::kGauge && kind != MetricKind::kSummary) data.varint(2, temporality);
  if (kind == MetricKind::kSum) data.varint(3, 1);
  return ProtoMessage().bytes(1, name).bytes(3, unit).message(static_cast<std::uint32_t>(kind),
                                                              data);
}

// A value with all its bits; a native histogram with its buckets.
std::string text_of(double value) {
  if (std::bit_cast<std::uint64_t>(value) == promseries::kStaleBits) return "stale";
  return std::to_string(value);
}
using Points = std::vector<std::pair<std::int64_t, std::string>>;
using BySet = std::map<std::string, Points>;

std::string buckets_text(std::span<const promseries::BucketSpan> spans,
                         std::span<const std::int64_t> deltas) {
  std::string text;
  std::int64_t index = 0, count = 0;
  std::size_t next = 0;
  for (const promseries::BucketSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length; ++i, ++index) {
      count += deltas[next++];
      if (count != 0) text += " " + std::to_string(index) + ":" + std::to_string(count);
    }
  }
  return text;
}
std::string buckets_text(const std::vector<promql::Bucket>& buckets) {
  std::string text;
  for (const promql::Bucket& one : buckets)
    text += " " + std::to_string(one.index) + ":" +
            std::to_string(static_cast<std::int64_t>(one.count));
  return text;
}

// The series that Prometheus's OTLP receiver would store.
class Received final : public promseries::SeriesVisitor {
 public:
  void on_sample(const promseries::Series& series, double value) override {
    add(series, text_of(value));
  }
  void on_histogram(const promseries::Series& series,
                    const promseries::NativeHistogram& histogram) override {
    if (text_of(histogram.sum) == "stale") return add(series, "stale");
    add(series, "schema " + std::to_string(histogram.schema) + " sum " + text_of(histogram.sum) +
                    " count " + std::to_string(histogram.count) + " zeros " +
                    std::to_string(histogram.zero_count) + " |" +
                    buckets_text(histogram.positive_spans, histogram.positive_deltas) + " |" +
                    buckets_text(histogram.negative_spans, histogram.negative_deltas));
  }
  BySet all;

 private:
  void add(const promseries::Series& series, std::string text) {
    Labels labels;
    for (const promseries::Label& label : series.labels)
      labels.emplace_back(label.name, label.value);
    promql::sort_labels(labels);
    all[promql::to_string(labels)].emplace_back(series.timestamp_ms, std::move(text));
  }
};

class StoreSeriesSourceTest : public testing::Test {
 protected:
  void add(const std::vector<ProtoMessage>& metrics) {
    const std::string request = fakes::otlp_request_of(metrics);
    ASSERT_TRUE(store_.add("acme", request).ok());
    ASSERT_TRUE(converter_.convert(request, received_).ok());
  }
  Result<BySet> read(std::vector<LabelMatcher> matchers, std::int64_t begin = 0,
                     std::int64_t end = 10'000) {
    StoreSeriesSource source(store_, context_, system_clock());
    SPANWAY_ASSIGN(const auto stream, source.select({std::move(matchers), kBaseMs + begin * 1000,
                                                     kBaseMs + end * 1000}));
    BySet found;
    while (true) {
      SPANWAY_ASSIGN(const auto series, stream->next());
      if (!series) return found;
      EXPECT_TRUE(std::is_sorted(series->labels.begin(), series->labels.end()));
      Points& points = found[promql::to_string(series->labels)];
      EXPECT_TRUE(points.empty()) << "a label set comes once";
      for (const promql::Point& point : series->points)
        points.emplace_back(point.t, promql::is_stale(point) ? "stale" : value_text(point));
    }
  }
  static std::string value_text(const promql::Point& point) {
    if (!point.h) return text_of(point.f);
    const promql::Histogram& h = *point.h;
    return "schema " + std::to_string(h.schema) + " sum " + text_of(h.sum) + " count " +
           std::to_string(static_cast<std::uint64_t>(h.count)) + " zeros " +
           std::to_string(static_cast<std::uint64_t>(h.zero_count)) + " |" +
           buckets_text(h.positive) + " |" + buckets_text(h.negative);
  }
  std::vector<std::string> names(std::vector<LabelMatcher> matchers) {
    std::vector<std::string> result;
    const auto found = read(std::move(matchers));
    EXPECT_TRUE(found.ok());
    for (const auto& [labels, points] : *found) result.push_back(labels);
    return result;
  }
  static LabelMatcher name_is(std::string value, MatchOp op = MatchOp::kEqual) {
    return {kMetricName, op, std::move(value)};
  }
  const std::vector<LabelMatcher> everything_ = {name_is("", MatchOp::kNotEqual)};

  MemoryMetricStore store_;
  promseries::Converter converter_{{}};
  Received received_;
  QueryContext context_{.tenant = "acme"};
};

TEST_F(StoreSeriesSourceTest, SeriesAreThoseThatPrometheusReceives) {
  add({metric("depth", "1", MetricKind::kGauge, {number(1, 0.5), number(2, -1e300)}),
       metric("req.served", "", MetricKind::kSum,
              {with(number(1, 3), 7, "Zone", "a"), with(number(1, 4), 7, "zone", "b\"c"),
               number(2, 9, kStaleFlag)}),
       metric("latency", "s", MetricKind::kHistogram,
              {classic(1, {1, 2, 3}, {0.1, 1e-7}, 5), classic(2, {2, 2, 3}, {0.1, 25}, 6),
               classic(3, {2, 2, 4}, {0.1, 25}, 6, kStaleFlag)}),
       metric("own", "", MetricKind::kHistogram, {with(classic(1, {4}, {}, 6), 9, "le", "own")}),
       metric("latency.exp", "s", MetricKind::kExponentialHistogram,
              {exponential(1, 2, -3, {1, 0, 0, 0, 0, 2}, 1), exponential(2, 10, 5, {1, 2, 3, 4}, 0),
               exponential(3, -4, -1, {7, 1}, 2), exponential(4, 0, 0, {1}, 0, kStaleFlag),
               exponential(5, 0, 0, {1}, 0)}),
       metric("served", "By", MetricKind::kSummary, {summary(1, 5, 9), summary(2, 6, 10)})});
  const auto found = read(everything_);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(*found, received_.all);
  EXPECT_GT(found->size(), 14u);
}

TEST_F(StoreSeriesSourceTest, RandomRequestsGiveTheReceiversSeries) {
  std::mt19937 random(7);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (std::int64_t part = 0; part < 4; ++part) {
    std::vector<ProtoMessage> metrics;
    for (std::int64_t i = 0; i < 40; ++i) {
      const std::int64_t second = part * 100 + i;
      const std::string name(1, static_cast<char>('a' + below(3)));
      std::vector<std::uint64_t> counts;
      for (std::uint64_t n = 1 + below(5); n > 0; --n) counts.push_back(below(4));
      std::vector<double> bounds;
      for (std::size_t n = 1; n < counts.size(); ++n)
        bounds.push_back(static_cast<double>(n) * 0.3);
      const std::uint64_t flags = below(10) == 0 ? 1 : 0;
      if (below(2) == 0)
        metrics.push_back(metric("h" + name, "", MetricKind::kHistogram,
                                 {classic(second, counts, bounds, 1.5, flags)}));
      else
        metrics.push_back(
            metric("e" + name, "", MetricKind::kExponentialHistogram,
                   {exponential(second, static_cast<int>(below(14)) - 4,
                                static_cast<int>(below(2000)) - 1000, counts, below(3), flags)}));
    }
    add(metrics);
  }
  const auto found = read(everything_);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, received_.all);
}

TEST_F(StoreSeriesSourceTest, ANameMayBeThatOfAPart) {
  add({metric("size", "", MetricKind::kHistogram, {classic(1, {1, 2, 3}, {1, 2}, 5)}),
       metric("size_count", "", MetricKind::kGauge, {with(number(1, 3), 7, "own", "yes")}),
       metric("other", "", MetricKind::kGauge, {number(1, 3)})});
  EXPECT_THAT(names({name_is("size_count")}),
              UnorderedElementsAre("{__name__=\"size_count\", job=\"shop\"}",
                                   "{__name__=\"size_count\", job=\"shop\", own=\"yes\"}"));
  EXPECT_THAT(names({name_is("size_bucket"), {"le", MatchOp::kRegex, "2|.*Inf"}}),
              UnorderedElementsAre("{__name__=\"size_bucket\", job=\"shop\", le=\"2\"}",
                                   "{__name__=\"size_bucket\", job=\"shop\", le=\"+Inf\"}"));
  EXPECT_THAT(names({name_is("size")}), ElementsAre());
  EXPECT_THAT(names({name_is("size_(sum|bucket)", MatchOp::kRegex), {"le", MatchOp::kEqual, ""}}),
              ElementsAre("{__name__=\"size_sum\", job=\"shop\"}"));
  EXPECT_THAT(names({name_is("size_bucket"), {"job", MatchOp::kNotEqual, "shop"}}), ElementsAre());
}

TEST_F(StoreSeriesSourceTest, DeltaBecomesRunningSums) {
  ASSERT_TRUE(
      store_
          .add("acme",
               fakes::otlp_request_of(
                   {metric("n", "", MetricKind::kSum, {number(1, 2), number(2, 3), number(3, 4)},
                           kDelta),
                    metric("h", "", MetricKind::kHistogram,
                           {classic(1, {1, 0}, {1}, 2), classic(2, {1, 5}, {1}, 3)}, kDelta),
                    metric("e", "", MetricKind::kExponentialHistogram,
                           {exponential(1, 0, 0, {1}, 0), exponential(2, 0, 1, {2}, 1)}, kDelta)}))
          .ok());
  const auto found = read({name_is(".+", MatchOp::kRegex)});
  ASSERT_TRUE(found.ok());
  const auto at = [&](const std::string& labels) { return found->at("{__name__=" + labels + "}"); };
  const auto values = [&](const std::string& labels) {
    std::vector<std::string> result;
    for (const auto& [time, value] : at(labels)) result.push_back(value);
    return result;
  };
  EXPECT_THAT(values("\"n_total\", job=\"shop\""), ElementsAre("2.000000", "5.000000", "9.000000"));
  EXPECT_THAT(values("\"h_bucket\", job=\"shop\", le=\"1\""), ElementsAre("1.000000", "2.000000"));
  EXPECT_THAT(values("\"h_count\", job=\"shop\""), ElementsAre("1.000000", "7.000000"));
  EXPECT_EQ(values("\"e\", job=\"shop\"")[1],
            "schema 0 sum 3.500000 count 7 zeros 1 | 1:1 2:2 | 1:1 2:2");
  // A part of the range begins with the first value in it.
  const auto later = read({name_is("n_total")}, 2, 3);
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(later->begin()->second.back().second, "7.000000");
}

TEST_F(StoreSeriesSourceTest, APointThatComesTwiceCountsOnce) {
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(store_
                    .add("acme", fakes::otlp_request_of(
                                     {metric("n", "", MetricKind::kSum, {number(1, 2)}, kDelta),
                                      metric("h", "", MetricKind::kHistogram,
                                             {classic(1, {1}, {}, 2)}, kDelta)}))
                    .ok());
  const auto found = read({name_is("h_count|n_total", MatchOp::kRegex)});
  ASSERT_TRUE(found.ok());
  for (const auto& [labels, points] : *found) EXPECT_EQ(points.size(), 1u) << labels;
}

TEST_F(StoreSeriesSourceTest, LabelSetsAreThoseOfTheSeries) {
  add({metric("depth", "1", MetricKind::kGauge, {number(1, 0.5)}),
       metric("latency", "s", MetricKind::kHistogram, {classic(1, {1, 2, 3}, {0.1, 2}, 5)}),
       metric("exp", "", MetricKind::kExponentialHistogram, {exponential(1, 0, 0, {1}, 0)}),
       metric("served", "", MetricKind::kSummary, {summary(1, 5, 9)})});
  const auto sets = [&](std::vector<LabelMatcher> matchers, Bounds bounds) {
    std::vector<std::string> found;
    EXPECT_TRUE(visit_label_sets(store_, matchers, {}, bounds, context_, [&](const Labels& labels) {
                  found.push_back(promql::to_string(labels));
                  return Status();
                }).ok());
    std::sort(found.begin(), found.end());
    return found;
  };
  EXPECT_EQ(sets(everything_, Bounds::kRead), names(everything_));
  EXPECT_EQ(sets({{"le", MatchOp::kEqual, "2"}}, Bounds::kRead),
            names({{"le", MatchOp::kEqual, "2"}}));
  EXPECT_THAT(sets({name_is("latency_.*", MatchOp::kRegex)}, Bounds::kSkip),
              ElementsAre("{__name__=\"latency_seconds_bucket\", job=\"shop\"}",
                          "{__name__=\"latency_seconds_count\", job=\"shop\"}",
                          "{__name__=\"latency_seconds_sum\", job=\"shop\"}"));
}

TEST_F(StoreSeriesSourceTest, ABudgetCountsWhatIsHeldAndIsNotPassed) {
  std::vector<ProtoMessage> points;
  for (std::int64_t i = 0; i < 20'000; ++i)
    points.push_back(with(number(i / 20, 1), 7, "n", std::to_string(i % 20)));
  add({metric("depth", "", MetricKind::kGauge, points)});
  const promql::Engine engine({});
  StoreSeriesSource source(store_, context_, system_clock());
  // The store holds 24 bytes a sample; the engine one series of 1,000 points at a time, or all.
  context_.budget.memory_max = 20'000 * 24 + 100'000;
  const auto folded =
      engine.instant("sum(max_over_time(depth[1000s]))", kBaseMs + 1'000'000, source);
  ASSERT_TRUE(folded.ok()) << folded.error().message;
  EXPECT_EQ(folded->vector[0].f, 20);
  context_.budget.memory.release();
  StoreSeriesSource another(store_, context_, system_clock());
  EXPECT_EQ(engine.instant("depth[1000s]", kBaseMs + 1'000'000, another).error().code,
            Code::kResourceExhausted);
}

TEST_F(StoreSeriesSourceTest, ACancelledOrLateQueryEndsBetweenSteps) {
  add({metric("depth", "", MetricKind::kGauge, {number(1, 0.5)})});
  const promql::Engine engine({});
  StoreSeriesSource source(store_, context_, system_clock());
  const auto evaluate = [&] {
    return engine.range("count_values(\"v\", depth)", kBaseMs, kBaseMs + 600'000, 1000, source);
  };
  ASSERT_TRUE(evaluate().ok());
  context_.deadline = Deadline::at(system_clock().now());
  EXPECT_EQ(evaluate().error().code, Code::kDeadlineExceeded);
  context_.deadline = Deadline::never();
  context_.cancel.cancel();
  EXPECT_EQ(evaluate().error().code, Code::kCancelled);
  EXPECT_EQ(evaluate().error().refusal, Refusal::kTransient);
}

}  // namespace
}  // namespace spanway::query
