// The contract of MetricStore, on every store: random points and random queries against a naive
// filter over what was sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "services/lib/block/block.h"
#include "services/query/store/clickhouse/clickhouse_metric_store.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "tests/contract/store_contract/store_fixtures.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using clickhouse::ClickHouseServer;
using fakes::ProtoMessage;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMs;

// A point as it was sent; the naive filter sees nothing else. Gauges are named "load_*", histograms
// "size_*".
struct SentPoint {
  std::string metric, service, zone;  // `zone` "" = the point has no such attribute.
  std::int64_t time = 0;
  std::int64_t value = 0;  // The count, for a histogram.
  bool is_histogram() const { return metric.starts_with("size"); }
};

// "name service zone": what a series is.
std::string key_of(const SentPoint& point) {
  return point.metric + " " + point.service + " " + point.zone;
}
std::string key_of(const Labels& labels) {
  return std::string(value_of(labels, kMetricName)) + " " + std::string(value_of(labels, "job")) +
         " " + std::string(value_of(labels, "zone"));
}

bool naive_match(const std::vector<LabelMatcher>& matchers, const SentPoint& point) {
  const std::map<std::string, std::string> labels = {
      {kMetricName, point.metric}, {"job", point.service}, {"zone", point.zone}};
  return std::all_of(matchers.begin(), matchers.end(), [&](const LabelMatcher& matcher) {
    const auto found = labels.find(matcher.label);
    const std::string value = found == labels.end() ? "" : found->second;
    switch (matcher.op) {
      case MatchOp::kEqual:
        return value == matcher.value;
      case MatchOp::kNotEqual:
        return value != matcher.value;
      case MatchOp::kRegex:
        return std::regex_match(value, std::regex(matcher.value));
      case MatchOp::kNotRegex:
        return !std::regex_match(value, std::regex(matcher.value));
    }
    return false;
  });
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }

  SentPoint point(std::uint64_t number, std::int64_t base) {
    SentPoint point;
    point.metric = (below(3) == 0 ? "size_" : "load_") + std::string(below(2) == 0 ? "a" : "b");
    point.service = "service-" + std::to_string(below(3));
    if (below(2) == 0) point.zone = "it's \\ " + std::to_string(below(2));
    // No two points at one time, so that an order has one answer.
    point.time = base + static_cast<std::int64_t>(below(1000)) * kSecond +
                 static_cast<std::int64_t>(number) * kMs;
    point.value = static_cast<std::int64_t>(below(1000));
    return point;
  }
  LabelMatcher matcher() {
    const auto op = static_cast<MatchOp>(below(4));
    const bool is_regex = op == MatchOp::kRegex || op == MatchOp::kNotRegex;
    switch (below(4)) {
      case 0:
        return {kMetricName, op, is_regex ? ".*_a" : "load_a"};
      case 1:
        return {"job", op, is_regex ? "service-[01]" : "service-1"};
      case 2:
        return {"zone", op, is_regex ? "it.*1|" : "it's \\ 0"};
      default:
        return {"no_such_label", op, is_regex ? ".*" : ""};
    }
  }
  MetricSelect query(std::int64_t base) {
    MetricSelect query;
    if (below(2) == 0) query.range.begin = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    if (below(2) == 0) query.range.end = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    for (std::size_t i = below(3); i > 0; --i) query.matchers.push_back(matcher());
    return query;
  }

 private:
  std::mt19937 random_;
};

std::string request_of(const std::vector<SentPoint>& points) {
  std::vector<ProtoMessage> resources;
  for (const SentPoint& point : points) {
    ProtoMessage number;
    number.fixed64(3, static_cast<std::uint64_t>(point.time));
    ProtoMessage data, metric;
    if (point.is_histogram()) {
      number.fixed64(4, static_cast<std::uint64_t>(point.value));  // count, all in one bucket.
      number.fixed64(6, static_cast<std::uint64_t>(point.value));
      if (!point.zone.empty()) number.message(9, fakes::otlp_attribute("zone", point.zone));
      data.message(1, number).varint(2, 2);
    } else {
      number.fixed64(6, static_cast<std::uint64_t>(point.value));
      if (!point.zone.empty()) number.message(7, fakes::otlp_attribute("zone", point.zone));
      data.message(1, number);
    }
    metric.bytes(1, point.metric).message(point.is_histogram() ? 9 : 5, data);
    resources.push_back(
        fakes::otlp_resource(point.service, {fakes::otlp_scope("scope", {metric})}));
  }
  return fakes::otlp_request(resources).encode();
}

class MetricStoreContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "memory") {
      fixture_ = std::make_unique<MemoryFixture<MetricStore, MemoryMetricStore>>();
      return;
    }
    // The server comes from a registry; without it the memory store is tested alone.
    if (ClickHouseServer::shared() == nullptr)
      GTEST_SKIP() << "tests/parts/clickhouse.sh get: " << ClickHouseServer::unavailable();
    fixture_ = std::make_unique<
        ClickHouseFixture<MetricStore, ClickHouseMetricStore, otlp::Signal::kMetrics>>(
        "metric_store_contract");
  }
  // In three requests, so that rows lie in several parts and series in several rows.
  std::vector<SentPoint> fill(Generator& generator, std::size_t count) {
    std::vector<SentPoint> sent;
    for (int part = 0; part < 3; ++part) {
      std::vector<SentPoint> points;
      for (std::size_t i = 0; i < count / 3; ++i)
        points.push_back(generator.point(sent.size() + i, base_));
      fixture_->add("acme", request_of(points));
      sent.insert(sent.end(), points.begin(), points.end());
    }
    fixture_->add("other", request_of({generator.point(100'000, base_)}));
    return sent;
  }
  static QueryContext context(const std::string& tenant = "acme") {
    QueryContext context;
    context.tenant = tenant;
    context.deadline = Deadline::after(system_clock(), std::chrono::seconds(30));
    return context;
  }
  using Points = std::map<std::string, std::vector<std::pair<std::int64_t, std::int64_t>>>;

  // Times in ms and values of each series, by its key.
  Result<Points> samples(const MetricSelect& query, QueryContext& own) {
    SPANWAY_ASSIGN(const auto stream, store().samples(query, own));
    Points found;
    while (true) {
      SPANWAY_ASSIGN(const auto series, stream->next());
      if (!series) return found;
      EXPECT_EQ(series->series.type, SeriesType::kGauge);
      EXPECT_EQ(series->times_ms.size(), series->values.size());
      EXPECT_EQ(series->times_ms.size(), series->start_times_ms.size());
      auto& points = found[key_of(series->series.labels)];
      EXPECT_TRUE(points.empty()) << "a series comes once";
      for (std::size_t i = 0; i < series->times_ms.size(); ++i)
        points.emplace_back(series->times_ms[i], static_cast<std::int64_t>(series->values[i]));
    }
  }
  // The same of histograms, with their counts.
  Result<Points> histograms(const MetricSelect& query, QueryContext& own) {
    SPANWAY_ASSIGN(const auto all, store().series({}, {}, own));
    std::map<std::string, std::string> keys;
    for (const Series& one : all) keys[one.id] = key_of(one.labels);
    SPANWAY_ASSIGN(const auto stream, store().histograms(query, own));
    Points found;
    std::string last;
    while (true) {
      SPANWAY_ASSIGN(const auto block, stream->next());
      if (!block) return found;
      const auto& ids = static_cast<const block::FixedColumn&>(*block->find("series_id"));
      const auto& times = static_cast<const block::FixedColumn&>(*block->find("ts"));
      const auto& counts = static_cast<const block::FixedColumn&>(*block->find("count"));
      for (std::size_t row = 0; row < block->rows(); ++row) {
        const std::string key = keys[std::string(ids.text_at(row))];
        auto& points = found[key];
        EXPECT_TRUE(key == last || points.empty()) << "one series after the other";
        last = key;
        points.emplace_back(times.values<std::int64_t>()[row],
                            static_cast<std::int64_t>(counts.values<std::uint64_t>()[row]));
      }
    }
  }
  MetricStore& store() { return fixture_->store(); }

  std::unique_ptr<StoreFixture<MetricStore>> fixture_;
  // Within the TTL of the tables, and on one day.
  const std::int64_t base_ =
      (system_clock().system_now().time_since_epoch().count() / (86'400 * kSecond) - 1) * 86'400 *
          kSecond +
      43'200 * kSecond;
};

TEST_P(MetricStoreContract, RandomQueriesFindWhatANaiveFilterFinds) {
  Generator generator(3);
  std::vector<SentPoint> sent = fill(generator, 600);
  std::sort(sent.begin(), sent.end(),
            [](const SentPoint& a, const SentPoint& b) { return a.time < b.time; });
  std::size_t hits = 0;
  for (int i = 0; i < 80; ++i) {
    const MetricSelect query = generator.query(base_);
    SCOPED_TRACE("query " + std::to_string(i));
    Points expected_samples, expected_histograms;
    for (const SentPoint& point : sent)
      if (query.range.contains(point.time) && naive_match(query.matchers, point))
        (point.is_histogram() ? expected_histograms : expected_samples)[key_of(point)].emplace_back(
            point.time / kMs, point.value);
    hits += expected_samples.empty() ? 0 : 1;
    QueryContext own = context();
    const auto found_samples = samples(query, own);
    ASSERT_TRUE(found_samples.ok()) << found_samples.error().message;
    EXPECT_EQ(*found_samples, expected_samples);
    const auto found_histograms = histograms(query, own);
    ASSERT_TRUE(found_histograms.ok()) << found_histograms.error().message;
    EXPECT_EQ(*found_histograms, expected_histograms);
  }
  EXPECT_GT(hits, 30u) << "the queries are too narrow to show anything";
}

TEST_P(MetricStoreContract, SeriesAreThoseThatWereSent) {
  Generator generator(4);
  const std::vector<SentPoint> sent = fill(generator, 300);
  for (int i = 0; i < 30; ++i) {
    SCOPED_TRACE("query " + std::to_string(i));
    std::vector<LabelMatcher> matchers;
    for (std::size_t n = generator.below(3); n > 0; --n) matchers.push_back(generator.matcher());
    std::set<std::string> expected, found;
    for (const SentPoint& point : sent)
      if (naive_match(matchers, point)) expected.insert(key_of(point));
    QueryContext own = context();
    const auto series = store().series(matchers, {}, own);
    ASSERT_TRUE(series.ok()) << series.error().message;
    for (const Series& one : *series) {
      ASSERT_EQ(one.labels.front().first, kMetricName);
      EXPECT_TRUE(found.insert(key_of(one.labels)).second) << "a series comes once";
      EXPECT_EQ(one.type, one.labels.front().second.starts_with("size") ? SeriesType::kHistogram
                                                                        : SeriesType::kGauge);
    }
    EXPECT_EQ(found, expected);
  }
  QueryContext own = context();
  EXPECT_TRUE(store().series({}, {.begin = 0, .end = 1}, own)->empty()) << "no point of that day";
}

TEST_P(MetricStoreContract, ATenantSeesItsOwnPointsOnly) {
  Generator generator(10);
  const std::vector<SentPoint> sent = fill(generator, 30);
  std::set<std::string> keys;
  for (const SentPoint& point : sent) keys.insert(key_of(point));
  for (const auto& [tenant, count] : {std::pair(std::string("acme"), keys.size()),
                                      std::pair(std::string("other"), std::size_t{1}),
                                      std::pair(std::string("acme' OR 1"), std::size_t{0})}) {
    QueryContext own = context(tenant);
    EXPECT_EQ(store().series({}, {}, own)->size(), count) << tenant;
    EXPECT_EQ(samples({}, own)->size() + histograms({}, own)->size(), count) << tenant;
  }
}

TEST_P(MetricStoreContract, TheLastOfTheMostMatchersCounts) {
  Generator generator(5);
  fill(generator, 60);
  std::vector<LabelMatcher> matchers(kMatchersMax - 1, {"job", MatchOp::kNotEqual, "none"});
  matchers.push_back({kMetricName, MatchOp::kEqual, "load_a"});
  QueryContext own = context();
  const auto found = store().series(matchers, {}, own);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_FALSE(found->empty());
  for (const Series& one : *found) EXPECT_EQ(one.labels.front().second, "load_a");
}

TEST_P(MetricStoreContract, ABadRegexTooManyMatchersAndACancelledQueryFail) {
  Generator generator(11);
  fill(generator, 30);
  QueryContext own = context();
  for (const auto& matchers : {std::vector<LabelMatcher>{{"job", MatchOp::kRegex, "a("}},
                               std::vector<LabelMatcher>(kMatchersMax + 1)}) {
    EXPECT_EQ(store().series(matchers, {}, own).error().code, Code::kInvalidArgument);
    EXPECT_EQ(store().samples({.matchers = matchers}, own).error().code, Code::kInvalidArgument);
    EXPECT_EQ(store().histograms({.matchers = matchers}, own).error().code, Code::kInvalidArgument);
  }
  QueryContext cancelled = context();
  cancelled.cancel.cancel();
  EXPECT_FALSE(samples({}, cancelled).ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, MetricStoreContract, testing::Values("memory", "clickhouse"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace spanway::query
