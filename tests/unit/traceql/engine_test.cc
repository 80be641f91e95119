// Searches and metrics over a store, against the naive evaluator.
#include "services/query/traceql/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/fakes/manual_clock.h"
#include "tests/unit/traceql/stored_traces.h"

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(7);
    for (std::size_t i = 0; i < kTraces; ++i) traces_.push_back(naive::random_trace(random));
    naive::add_to(store_, traces_);
  }

  QueryContext context() const {
    QueryContext result;
    result.tenant = "t";
    result.budget.memory = budget_.empty_permit();
    result.budget.reading = budget_.empty_permit();
    return result;
  }
  Query parsed(const std::string& text) const {
    auto query = parse(text);
    EXPECT_TRUE(query.ok()) << text << "\n" << query.error().message;
    return std::move(query).value();
  }
  // Traces by number, ascending.
  std::vector<std::size_t> found(const std::string& text, SearchRequest request = {}) {
    request.limit = kTraces;
    QueryContext own = context();
    const auto result = engine_.search(parsed(text), request, own);
    EXPECT_TRUE(result.ok()) << text << "\n" << result.error().message;
    std::vector<std::size_t> numbers;
    if (!result.ok()) return numbers;
    EXPECT_TRUE(own.coverage.complete);
    for (const ShownTrace& trace : result->traces)
      for (std::size_t i = 0; i < kTraces; ++i)
        if (trace.id == naive::trace_id_of(i)) numbers.push_back(i);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
  MetricsResult metrics(const std::string& text, Intervals intervals, std::size_t exemplars = 0) {
    QueryContext own = context();
    auto result = engine_.metrics(parsed(text), {intervals, exemplars}, own);
    EXPECT_TRUE(result.ok()) << text << "\n" << result.error().message;
    return result.ok() ? std::move(result).value() : MetricsResult();
  }

  static constexpr std::size_t kTraces = 60;
  mutable MemoryBudget budget_{1u << 30};
  fakes::ManualClock clock_;
  MemoryTraceStore store_;
  Engine engine_{store_, clock_};
  std::vector<naive::NaiveTrace> traces_;
};

TEST_F(EngineTest, FindsTheTracesOfRandomQueries) {
  std::mt19937 random(11);
  std::size_t all = 0;
  for (int round = 0; round < 100; ++round) {
    const naive::SpansetQuery query = naive::random_query(random);
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < kTraces; ++i)
      if (!query.run(traces_[i], naive::all_of(traces_[i])).empty()) expected.push_back(i);
    ASSERT_EQ(found(query.text), expected) << query.text;
    all += expected.size();
  }
  EXPECT_GT(all, 500u) << "the queries find too little to show anything";
}

TEST_F(EngineTest, FindsSpansThatStartInTheRange) {
  std::mt19937 random(12);
  for (int round = 0; round < 40; ++round) {
    const naive::SpansetQuery query = naive::random_query(random);
    const std::int64_t begin = naive::kBegin + static_cast<std::int64_t>(random() % 50) * kSecond;
    const TimeRange range{begin, begin + 15 * kSecond + 4'000'000};
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < kTraces; ++i) {
      bool is_in_range = false;
      for (const auto& spans : query.run(traces_[i], naive::all_of(traces_[i])))
        for (const auto span : spans)
          is_in_range =
              is_in_range || range.contains(naive::kBegin + static_cast<std::int64_t>(i) * kSecond +
                                            traces_[i].spans[span].start);
      if (is_in_range) expected.push_back(i);
    }
    ASSERT_EQ(found(query.text, {.range = range}), expected) << query.text;
  }
}

TEST_F(EngineTest, CountsTheSpansOfRandomQueries) {
  std::mt19937 random(14);
  const auto intervals =
      Intervals::range(naive::kBegin, naive::kBegin + 120 * kSecond, 10 * kSecond);
  ASSERT_TRUE(intervals.ok());
  for (int round = 0; round < 60; ++round) {
    const naive::SpansetQuery query = round % 2 == 0 ? naive::random_query(random) : [&] {
      const naive::Condition condition = naive::random_condition(random, 2);
      return naive::SpansetQuery{
          "{ " + condition.text + " }",
          [condition](const naive::NaiveTrace& trace, const naive::Spans& input) {
            naive::Spans kept;
            for (const auto i : input)
              if (condition.holds(trace, i)) kept.push_back(i);
            return naive::Sets{kept};
          }};
    }();
    std::vector<double> expected(intervals->count());
    for (std::size_t i = 0; i < kTraces; ++i)
      for (const auto& spans : query.run(traces_[i], naive::all_of(traces_[i])))
        for (const auto span : spans) {
          const std::int64_t start =
              naive::kBegin + static_cast<std::int64_t>(i) * kSecond + traces_[i].spans[span].start;
          // Intervals hold their end.
          ++expected[static_cast<std::size_t>((start - intervals->begin_nanos() - 1) /
                                              (10 * kSecond))];
        }
    const MetricsResult result = metrics(query.text + " | count_over_time()", *intervals);
    ASSERT_EQ(result.series.size(), 1u) << query.text;
    ASSERT_EQ(result.series[0].values, expected) << query.text;
  }
}

TEST_F(EngineTest, ShowsWhatTheQueryReads) {
  QueryContext own = context();
  const auto result = engine_.search(
      parsed("{ status = error } | by(name) | count() > 0 | select(resource.service.name)"),
      {.range = {}, .limit = 3, .spans_per_set = 1}, own);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->traces.size(), 3u);
  EXPECT_GT(result->traces[0].begin_unix_nano, result->traces[2].begin_unix_nano);
  const ShownSet& set = result->traces[0].sets[0];
  ASSERT_EQ(set.spans.size(), 1u);
  EXPECT_GE(set.matched, 1u);
  std::vector<std::string> keys;
  for (const auto& [key, value] : set.spans[0].attributes) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (std::vector<std::string>{"service.name", "status"}));
  EXPECT_EQ(set.attributes[0].first, "by(name)");
  EXPECT_EQ(set.attributes[1].first, "count()");
}

TEST_F(EngineTest, RefusesAQueryOfTheOtherKind) {
  QueryContext own = context();
  const auto search = engine_.search(parsed("{} | rate()"), {}, own);
  ASSERT_FALSE(search.ok());
  EXPECT_EQ(search.error().code, Code::kInvalidArgument);
  const auto range = Intervals::instant(1, 2);
  const auto counted = engine_.metrics(parsed("{}"), {*range, 0}, own);
  ASSERT_FALSE(counted.ok());
  EXPECT_EQ(counted.error().message, "not a metrics query: it needs a function such as rate()");
}

TEST_F(EngineTest, EndsWhenItIsCancelled) {
  QueryContext own = context();
  own.cancel.cancel();
  const auto result = engine_.search(parsed("{ } >> { }"), {}, own);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kCancelled);
}

TEST_F(EngineTest, DoesNotEvaluateBeyondTheDeadline) {
  QueryContext own = context();
  own.deadline = Deadline::at(clock_.now());
  const auto result = engine_.search(parsed("{ } >> { }"), {}, own);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kDeadlineExceeded);
}

TEST_F(EngineTest, RefusesATraceBeyondTheMemoryOfAQuery) {
  QueryContext own = context();
  own.budget.memory_max = 64;
  const auto result = engine_.search(parsed("{ } >> { }"), {}, own);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
}

TEST_F(EngineTest, CountsItsResultAgainstTheMemoryOfAQuery) {
  QueryContext own = context();
  const auto few = engine_.search(parsed("{ }"), {.range = {}, .limit = 1}, own);
  ASSERT_TRUE(few.ok());
  own.budget.memory_max = own.budget.memory.bytes() + 4096;
  const auto many = engine_.search(parsed("{ } | by(span:id)"),
                                   {.range = {}, .limit = kTraces, .spans_per_set = 1000}, own);
  // Either the error or, as a list may be partial, what was found before it.
  EXPECT_FALSE(many.ok() && own.coverage.complete);
}

double sum_of(const Series& series) {
  double sum = 0;
  for (const double value : series.values) sum += std::isnan(value) ? 0 : value;
  return sum;
}

TEST_F(EngineTest, GroupsSeriesByAttributes) {
  const auto intervals = Intervals::instant(naive::kBegin, naive::kBegin + 200 * kSecond);
  const auto result = metrics("{ } | count_over_time() by (resource.service.name)", *intervals);
  ASSERT_EQ(result.series.size(), 3u);
  double all = 0;
  for (const Series& series : result.series) {
    ASSERT_EQ(series.labels.size(), 1u);
    EXPECT_EQ(series.labels[0].name, "resource.service.name");
    all += sum_of(series);
  }
  std::size_t spans = 0;
  for (const auto& trace : traces_) spans += trace.spans.size();
  EXPECT_EQ(all, static_cast<double>(spans));
}

TEST_F(EngineTest, ComputesLeastMostMeanAndSum) {
  const auto intervals = Intervals::instant(naive::kBegin, naive::kBegin + 200 * kSecond);
  double least = 1e9, most = 0, sum = 0, count = 0;
  for (const auto& trace : traces_)
    for (const auto& span : trace.spans) {
      const double seconds = static_cast<double>(span.duration) / 1e9;
      least = std::min(least, seconds);
      most = std::max(most, seconds);
      sum += seconds;
      ++count;
    }
  const auto value = [&](const std::string& function) {
    return metrics("{ } | " + function + "(duration)", *intervals).series[0].values[0];
  };
  EXPECT_EQ(value("min_over_time"), least);
  EXPECT_EQ(value("max_over_time"), most);
  EXPECT_NEAR(value("sum_over_time"), sum, 1e-9);
  EXPECT_NEAR(value("avg_over_time"), sum / count, 1e-12);
}

TEST_F(EngineTest, CombinesSeries) {
  const auto intervals = Intervals::instant(naive::kBegin, naive::kBegin + 200 * kSecond);
  const auto all = metrics("{ } | count_over_time()", *intervals).series[0].values[0];
  const auto failed = metrics("{ status = error } | count_over_time()", *intervals);
  const auto share = metrics(
      "({ status = error } | count_over_time()) / ({ } | count_over_time()) * 100", *intervals);
  ASSERT_EQ(share.series.size(), 1u);
  EXPECT_DOUBLE_EQ(share.series[0].values[0], failed.series[0].values[0] / all * 100);
  EXPECT_EQ(share.series[0].labels[0].value.text, "(count_over_time / count_over_time)");
  const auto by_service =
      metrics("({ } | count_over_time() by (resource.service.name)) / ({ } | count_over_time())",
              *intervals);
  ASSERT_EQ(by_service.series.size(), 3u);
  double sum = 0;
  for (const Series& series : by_service.series) sum += series.values[0];
  EXPECT_DOUBLE_EQ(sum, 1);
}

TEST_F(EngineTest, KeepsTheMostAndWhatAComparisonKeeps) {
  const auto intervals = Intervals::instant(naive::kBegin, naive::kBegin + 200 * kSecond);
  const auto all = metrics("{ } | count_over_time() by (kind)", *intervals);
  std::vector<double> counts;
  for (const Series& series : all.series) counts.push_back(series.values[0]);
  std::sort(counts.begin(), counts.end());
  const auto top = metrics("{ } | count_over_time() by (kind) | topk(2)", *intervals);
  ASSERT_EQ(top.series.size(), 2u);
  EXPECT_EQ(sum_of(top.series[0]) + sum_of(top.series[1]), counts[4] + counts[5]);
  const auto bottom = metrics("{ } | count_over_time() by (kind) | bottomk(1)", *intervals);
  ASSERT_EQ(bottom.series.size(), 1u);
  EXPECT_EQ(bottom.series[0].values[0], counts[0]);
  const auto kept =
      metrics("{ } | count_over_time() by (kind) > " + std::to_string(static_cast<int>(counts[3])),
              *intervals);
  EXPECT_EQ(kept.series.size(),
            static_cast<std::size_t>(std::count_if(
                counts.begin(), counts.end(), [&](double count) { return count > counts[3]; })));
}

TEST_F(EngineTest, ComparesASelectionWithTheOthers) {
  const auto intervals = Intervals::instant(naive::kBegin, naive::kBegin + 200 * kSecond);
  const auto result = metrics("{ } | compare({ status = error })", *intervals);
  double selected = 0, others = 0;
  for (const Series& series : result.series) {
    if (series.labels[1].name != "kind" || !series.labels[1].value.is_nil()) continue;
    (series.labels[0].value.text == "selection_total" ? selected : others) = sum_of(series);
  }
  const auto failed = metrics("{ status = error } | count_over_time()", *intervals);
  const auto all = metrics("{ } | count_over_time()", *intervals);
  EXPECT_EQ(selected, sum_of(failed.series[0]));
  EXPECT_EQ(selected + others, sum_of(all.series[0]));
}

TEST_F(EngineTest, GivesExemplarsOfSeries) {
  const auto intervals =
      Intervals::range(naive::kBegin, naive::kBegin + 120 * kSecond, 10 * kSecond);
  const auto result = metrics("{ } | max_over_time(duration)", *intervals, 10);
  ASSERT_EQ(result.series.size(), 1u);
  const auto& exemplars = result.series[0].exemplars;
  ASSERT_FALSE(exemplars.empty());
  EXPECT_LE(exemplars.size(), 10u);
  EXPECT_EQ(exemplars[0].labels[0].name, "trace:id");
}

TEST(Quantiles, InterpolateExponentiallyBetweenPowersOfTwo) {
  EXPECT_EQ(log2_bucket(1), std::nullopt);
  EXPECT_EQ(log2_bucket(2), 2);
  EXPECT_EQ(log2_bucket(5), 8);
  EXPECT_EQ(log2_bucket(8), 8);
  EXPECT_EQ(log2_quantile(0.5, {}), 0);
  EXPECT_EQ(log2_quantile(1, {{4, 1}, {8, 3}}), 8);
  EXPECT_EQ(log2_quantile(0.25, {{4, 1}, {8, 3}}), 4);
  // Two of four: one of the three in (4, 8].
  EXPECT_NEAR(log2_quantile(0.5, {{4, 1}, {8, 3}}), 4 * std::exp2(1.0 / 3), 1e-12);
  EXPECT_NEAR(log2_quantile(0, {{8, 4}}), 4 * std::exp2(0.25), 1e-12);
}

TEST(Intervals, HoldTheirEndAndHaveOneMoreAtTheBegin) {
  const auto intervals = Intervals::range(105, 130, 10);
  ASSERT_TRUE(intervals.ok());
  EXPECT_EQ(intervals->begin_nanos(), 90);
  EXPECT_EQ(intervals->end_nanos(), 130);
  EXPECT_EQ(intervals->count(), 4u);
  EXPECT_EQ(intervals->find(90), std::nullopt);
  EXPECT_EQ(intervals->find(91), 0u);
  EXPECT_EQ(intervals->find(100), 0u);
  EXPECT_EQ(intervals->find(130), 3u);
  EXPECT_EQ(intervals->find(131), std::nullopt);
  EXPECT_FALSE(Intervals::range(1, 2, 0).ok());
  EXPECT_FALSE(Intervals::range(2, 2, 1).ok());
  EXPECT_FALSE(Intervals::range(1, 20'000, 1).ok());
}

}  // namespace
}  // namespace spanway::query::traceql
