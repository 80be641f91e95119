#include "services/lib/telemetry/metrics.h"

#include <gtest/gtest.h>

#include <thread>

#include "services/lib/base/check.h"
#include "services/lib/base/thread.h"

namespace spanway::telemetry {
namespace {

constexpr MetricSpec kItems{"spanway_test_items_total", MetricKind::kCounter, "Items.", "signal"};
constexpr MetricSpec kDepth{"spanway_test_depth", MetricKind::kGauge, "Depth."};
constexpr MetricSpec kLag{"spanway_test_lag", MetricKind::kGauge, "Lag.", "topic,partition"};
constexpr MetricSpec kWait{"spanway_test_wait_seconds", MetricKind::kHistogram, "Wait."};

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, SeriesExistAtZeroFromTheStart) {
  Metrics metrics;
  metrics.counter(kItems, {{"signal", "traces"}});
  metrics.gauge(kDepth);
  metrics.histogram(kWait);
  const std::string text = metrics.expose();
  EXPECT_TRUE(has_line(text, "# HELP spanway_test_items_total Items."));
  EXPECT_TRUE(has_line(text, "# TYPE spanway_test_items_total counter"));
  EXPECT_TRUE(has_line(text, "spanway_test_items_total{signal=\"traces\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "# TYPE spanway_test_depth gauge"));
  EXPECT_TRUE(has_line(text, "spanway_test_depth 0")) << text;
  EXPECT_TRUE(has_line(text, "spanway_test_wait_seconds_count 0")) << text;
  EXPECT_TRUE(has_line(text, "spanway_test_wait_seconds_bucket{le=\"60\"} 0")) << text;
}

TEST(Metrics, CountsSetsAndObserves) {
  Metrics metrics;
  const Counter traces = metrics.counter(kItems, {{"signal", "traces"}});
  const Counter logs = metrics.counter(kItems, {{"signal", "logs"}});
  traces.add();
  traces.add(2);
  traces.add(-5);
  traces.add(0);
  logs.add(7);
  const Gauge depth = metrics.gauge(kDepth);
  depth.set(5);
  depth.add(-2);
  const Histogram wait = metrics.histogram(kWait, {}, {0.1, 1});
  wait.observe(0.05);
  wait.observe(0.5);
  wait.observe(5);
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "traces"}}), 3);
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "logs"}}), 7);
  EXPECT_EQ(metrics.value("spanway_test_depth"), 3);
  EXPECT_EQ(metrics.value("spanway_test_wait_seconds"), 3);
  const std::string text = metrics.expose();
  EXPECT_TRUE(has_line(text, "spanway_test_wait_seconds_bucket{le=\"1\"} 2")) << text;
  EXPECT_TRUE(has_line(text, "spanway_test_wait_seconds_bucket{le=\"+Inf\"} 3")) << text;
}

TEST(Metrics, SameLabelsAreTheSameSeries) {
  Metrics metrics;
  metrics.counter(kItems, {{"signal", "logs"}}).add();
  metrics.counter(kItems, {{"signal", "logs"}}).add();
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "logs"}}), 2);
}

TEST(Metrics, UnknownSeriesHaveNoValue) {
  Metrics metrics;
  EXPECT_EQ(metrics.value("nothing"), 0);
  metrics.counter(kItems, {{"signal", "logs"}}).add();
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "other"}}), 0);
}

TEST(Metrics, RemovedGaugeIsGoneButItsHandleStaysValid) {
  Metrics metrics;
  const Labels labels{{"topic", "t"}, {"partition", "0"}};
  const Gauge lag = metrics.gauge(kLag, labels);
  lag.set(5);
  metrics.remove_gauge(kLag, labels);
  EXPECT_EQ(metrics.expose().find("spanway_test_lag{"), std::string::npos);
  EXPECT_EQ(metrics.value("spanway_test_lag", labels), 0);
  lag.set(6);
  EXPECT_EQ(metrics.expose().find("spanway_test_lag{"), std::string::npos);
  const Gauge again = metrics.gauge(kLag, labels);
  EXPECT_EQ(metrics.value("spanway_test_lag", labels), 0);
  again.set(7);
  EXPECT_EQ(metrics.value("spanway_test_lag", labels), 7);
  metrics.remove_gauge(kLag, {{"topic", "t"}, {"partition", "1"}});
  metrics.remove_gauge(kDepth, {});
}

TEST(Metrics, DefaultHandlesSwallowEverything) {
  Counter().add();
  Gauge().set(1);
  Gauge().add(1);
  Histogram().observe(1);
}

TEST(Metrics, AlwaysHasBugsBuildAndProcess) {
  Metrics metrics;
  const std::string before = metrics.expose();
  for (const MetricSpec& spec : standard_metric_specs())
    EXPECT_NE(before.find(std::string("\n") + spec.name), std::string::npos) << spec.name;
  EXPECT_TRUE(
      has_line(before, std::string("spanway_build_info{version=\"") + SPANWAY_VERSION + "\"} 1"))
      << before;
  count_bug("metrics_test");
  EXPECT_TRUE(has_line(metrics.expose(), "spanway_bugs_total " + std::to_string(bug_count())));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.counter(kItems, {{"signal", "a\"b\\c\nd"}});
  EXPECT_TRUE(has_line(metrics.expose(), R"(spanway_test_items_total{signal="a\"b\\c\nd"} 0)"));
}

TEST(Metrics, SeriesAreBounded) {
  Metrics metrics;
  const std::uint64_t bugs = bug_count();
  for (int i = 0; i < 10'001; ++i) metrics.counter(kItems, {{"signal", std::to_string(i)}}).add();
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "9999"}}), 1);
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "10000"}}), 0);
  EXPECT_EQ(bug_count(), bugs + 1);
}

TEST(Metrics, ManyThreadsLoseNothing) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(start_thread("metrics", [&metrics, t](const std::stop_token&) {
        const Labels labels{{"topic", "t"}, {"partition", std::to_string(t)}};
        const Counter counter = metrics.counter(kItems, {{"signal", "logs"}});
        const Histogram wait = metrics.histogram(kWait);
        for (int i = 0; i < 1000; ++i) {
          counter.add();
          wait.observe(0.5);
          if (i % 100 != 0) continue;
          metrics.gauge(kLag, labels).set(i);
          metrics.expose();
          metrics.remove_gauge(kLag, labels);
        }
      }));
  }
  EXPECT_EQ(metrics.value("spanway_test_items_total", {{"signal", "logs"}}), 4000);
  EXPECT_EQ(metrics.value("spanway_test_wait_seconds"), 4000);
}

TEST(MetricsDeathTest, WrongKindIsABugOfOurs) {
  Metrics metrics;
  metrics.gauge(kDepth);
  const MetricSpec other{"spanway_test_depth", MetricKind::kCounter, "Depth."};
  EXPECT_DEATH(metrics.counter(other), "check failed");
}

TEST(MetricsMarkdown, HasOneRowPerSpec) {
  const MetricSpec specs[] = {kItems, {"a", MetricKind::kHistogram, "x | y"}};
  EXPECT_EQ(metrics_markdown(specs),
            "| metric | type | labels | meaning |\n|---|---|---|---|\n"
            "| `spanway_test_items_total` | counter | signal | Items. |\n"
            "| `a` | histogram |  | x \\| y |\n");
}

}  // namespace
}  // namespace spanway::telemetry
