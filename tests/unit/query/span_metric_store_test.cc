// Calls and latencies of spans as PromQL reads them.
#include "services/query/store/span_metrics/span_metric_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/query/promql/engine.h"
#include "services/query/series/label_sets.h"
#include "services/query/series/store_series_source.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A whole hour.
constexpr std::int64_t kBegin = 1'767'225'600;
constexpr std::uint64_t kSecond = 1'000'000'000;

class SpanMetricStoreTest : public testing::Test {
 protected:
  SpanMetricStoreTest() { clock_.jump_system(std::chrono::hours(1)); }
  // Spans of the service "shop" that begin at the second and take so long.
  void add(std::int64_t second, std::size_t count, std::uint64_t duration_ns,
           bool is_error = false) {
    std::vector<fakes::ProtoMessage> spans;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t begin = static_cast<std::uint64_t>(kBegin + second) * kSecond;
      fakes::ProtoMessage span;
      ++ids_;
      span.bytes(1, fakes::otlp_trace_id(ids_)).bytes(2, fakes::otlp_span_id(ids_));
      span.bytes(5, "GET /").varint(6, 2).fixed64(7, begin).fixed64(8, begin + duration_ns);
      if (is_error) span.message(15, fakes::ProtoMessage().varint(3, 2));
      spans.push_back(span);
    }
    ASSERT_TRUE(traces_.add("", fakes::otlp_request_of(spans)).ok());
  }
  // The values at the second, each with its labels.
  std::vector<std::string> at(std::int64_t second, const std::string& query) {
    StoreSeriesSource source(store_, context_, clock_);
    const auto result =
        promql::Engine(promql::EngineOptions{}).instant(query, (kBegin + second) * 1000, source);
    std::vector<std::string> found;
    if (!result.ok()) return {result.error().message};
    for (const promql::Element& one : result->vector)
      found.push_back(promql::to_string(one.labels) + " " + std::to_string(one.f));
    std::sort(found.begin(), found.end());
    return found;
  }

  std::uint64_t ids_ = 0;
  fakes::ManualClock clock_;
  MemoryTraceStore traces_;
  MemoryMetricStore stored_;
  SpanMetricStore store_{stored_, traces_, clock_};
  QueryContext context_;
};

TEST_F(SpanMetricStoreTest, RatesAreThoseOfTheFiveMinutes) {
  add(10, 30, 1'000'000);
  add(320, 60, 1'000'000);
  add(330, 15, 1'000'000, true);
  const std::string ok =
      R"({service="shop", span_kind="SPAN_KIND_SERVER", span_name="GET /", status_code="STATUS_CODE_UNSET"})";
  EXPECT_THAT(at(240, "rate(traces_spanmetrics_calls_total[2m])"), ElementsAre(ok + " 0.100000"));
  EXPECT_THAT(at(540, "sum by (status_code) (rate(traces_spanmetrics_calls_total[1m]))"),
              ElementsAre("{status_code=\"STATUS_CODE_ERROR\"} 0.050000",
                          "{status_code=\"STATUS_CODE_UNSET\"} 0.200000"));
  EXPECT_THAT(at(600, "sum(increase(traces_spanmetrics_calls_total{service=\"shop\"}[601s]))"),
              ElementsAre("{} 105.000000"));
  EXPECT_THAT(at(600, "traces_spanmetrics_calls_total{service=\"other\"}"), IsEmpty());
  EXPECT_THAT(at(600, "{job=\"shop\"}"), IsEmpty()) << "no label that they do not have";
}

TEST_F(SpanMetricStoreTest, LatenciesAreAHistogramOfSeconds) {
  add(0, 90, 1'500'000);
  add(0, 10, 900'000'000);
  EXPECT_THAT(at(300, "sum(increase(traces_spanmetrics_latency_count[301s]))"),
              ElementsAre("{} 100.000000"));
  // 2^21 ns are 2.1 ms.
  EXPECT_THAT(at(300, "sum(increase(traces_spanmetrics_latency_bucket{le=\"0.002097152\"}[301s]))"),
              ElementsAre("{} 90.000000"));
  EXPECT_THAT(at(300,
                 "histogram_quantile(0.5, sum by (le) "
                 "(rate(traces_spanmetrics_latency_bucket[2m]))) < 0.0021"),
              testing::SizeIs(1));
  EXPECT_THAT(at(300, "sum(increase(traces_spanmetrics_latency_sum[301s]))"),
              ElementsAre("{} 9.135000"));
}

TEST_F(SpanMetricStoreTest, FiveMinutesThatAreNotOverHaveNoSamples) {
  add(3600 - 200, 30, 1'000'000);
  clock_.jump_system(-std::chrono::seconds(100));
  EXPECT_THAT(at(3600 - 100, "traces_spanmetrics_calls_total"), IsEmpty());
}

TEST_F(SpanMetricStoreTest, AStoredMetricOfThatNameTakesTheirPlace) {
  add(10, 30, 1'000'000);
  fakes::ProtoMessage point;
  point.fixed64(3, static_cast<std::uint64_t>(kBegin + 290) * kSecond).fixed64(6, 7);
  ASSERT_TRUE(
      stored_
          .add("", fakes::otlp_request_of({fakes::otlp_metric("traces_spanmetrics_calls_total",
                                                              fakes::MetricKind::kSum, {point})}))
          .ok());
  EXPECT_THAT(at(300, "count(traces_spanmetrics_calls_total)"), ElementsAre("{} 1.000000"));
}

TEST_F(SpanMetricStoreTest, NamesAndLabelsAreListedAlsoWithoutARange) {
  add(10, 30, 1'000'000);
  std::vector<std::string> names;
  ASSERT_TRUE(visit_label_sets(store_, {}, {}, Bounds::kSkip, context_, [&](const Labels& labels) {
                names.emplace_back(value_of(labels, kMetricName));
                return Status();
              }).ok());
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names,
              ElementsAre("traces_spanmetrics_calls_total", "traces_spanmetrics_latency_bucket",
                          "traces_spanmetrics_latency_count", "traces_spanmetrics_latency_sum"));
  const auto metadata = store_.metadata("traces_spanmetrics_latency", {}, 5, context_);
  ASSERT_EQ(metadata->size(), 1u);
  EXPECT_EQ(metadata->front().unit, "s");
}

}  // namespace
}  // namespace spanway::query
