// Queries of entries and of metrics.
#include "services/query/logql/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/logql/vector_source.h"

namespace spanway::query::logql {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000'000;

std::string print(const Labels& labels) {
  std::string out = "{";
  for (const auto& [name, value] : labels) out += (out.size() > 1 ? "," : "") + name + "=" + value;
  return out + "}";
}

std::string print(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

class LogQl : public testing::Test {
 protected:
  LogQl() {
    // One line a second of a, one every two seconds of b; `v` counts up.
    for (int i = 0; i < 60; ++i) {
      source_.add(i * kSecond, {{"app", "a"}},
                  "level=" + std::string(i % 3 == 0 ? "error" : "info") +
                      " v=" + std::to_string(i) + " took=" + std::to_string(i) + "ms",
                  {{"pod", i % 2 == 0 ? "p0" : "p1"}});
      if (i % 2 == 0) source_.add(i * kSecond, {{"app", "b"}}, "level=info v=1 size=1KB");
    }
  }
  // "{labels} value" of each element; or the error.
  std::vector<std::string> at(const std::string& query, std::int64_t seconds = 59) {
    const auto result = Engine().instant(query, seconds * kSecond, source_);
    if (!result.ok()) return {result.error().message};
    if (result->type == ResultType::kScalar) return {"scalar " + print(result->scalar)};
    std::vector<std::string> lines;
    for (const ResultSeries& series : result->series)
      lines.push_back(print(series.labels) + " " + print(series.points.at(0).value));
    return lines;
  }
  VectorSource source_;
};

TEST_F(LogQl, FunctionsOfARange) {
  EXPECT_THAT(at("count_over_time({app=\"b\"}[10s])"), ElementsAre("{app=b} 5"));
  EXPECT_THAT(at("rate({app=\"b\"}[10s])"), ElementsAre("{app=b} 0.5"));
  EXPECT_THAT(at("bytes_over_time({app=\"b\"}[10s])"), ElementsAre("{app=b} 115"));
  EXPECT_THAT(at("bytes_rate({app=\"b\"}[10s])"), ElementsAre("{app=b} 11.5"));
  EXPECT_THAT(at("count_over_time({app=\"a\"}[10s])"),
              ElementsAre("{app=a,pod=p0} 5", "{app=a,pod=p1} 5"));
  EXPECT_THAT(at("absent_over_time({app=\"c\",x=~\".+\"}[10s])"), ElementsAre("{app=c} 1"));
  EXPECT_THAT(at("absent_over_time({app=\"a\"}[10s])"), ElementsAre());
  const std::string values = "({app=\"a\"} | logfmt | unwrap v [10s]) by (app)";
  EXPECT_THAT(at("avg_over_time" + values), ElementsAre("{app=a} 54.5"));
  EXPECT_THAT(at("max_over_time" + values), ElementsAre("{app=a} 59"));
  EXPECT_THAT(at("min_over_time" + values), ElementsAre("{app=a} 50"));
  EXPECT_THAT(at("first_over_time" + values), ElementsAre("{app=a} 50"));
  EXPECT_THAT(at("last_over_time" + values), ElementsAre("{app=a} 59"));
  EXPECT_THAT(at("stdvar_over_time" + values), ElementsAre("{app=a} 8.25"));
  EXPECT_THAT(at("stddev_over_time" + values), ElementsAre("{app=a} 2.872281"));
  EXPECT_THAT(at("quantile_over_time(0.5," + values.substr(1)), ElementsAre("{app=a} 54.5"));
  EXPECT_THAT(at("sum(sum_over_time({app=\"a\"} | logfmt | unwrap duration(took) [2s]))"),
              ElementsAre("{} 0.117"));
  EXPECT_THAT(at("sum_over_time({app=\"b\"} | logfmt | unwrap bytes(size) [10s])"),
              ElementsAre("{app=b,level=info,v=1} 5000"));
  EXPECT_THAT(at("sum(rate({app=\"a\"} | logfmt | unwrap v [10s]))"), ElementsAre("{} 54.5"));
}

TEST_F(LogQl, TheWindowHasItsEndAndNotItsBegin) {
  EXPECT_THAT(at("sum(count_over_time({app=\"a\"}[1s]))", 10), ElementsAre("{} 1"));
  EXPECT_THAT(at("sum(count_over_time({app=\"a\"}[5s] offset 50s))", 59), ElementsAre("{} 5"));
  EXPECT_THAT(at("sum(count_over_time({app=\"a\"}[5s] offset 58s))", 59), ElementsAre("{} 2"));
}

TEST_F(LogQl, AggregationsOfVectors) {
  const std::string counts =
      "(count_over_time({app=~\"a|b\"} | logfmt | drop v, took, size [30s]))";
  EXPECT_THAT(at("sum by (app)" + counts), ElementsAre("{app=a} 30", "{app=b} 15"));
  EXPECT_THAT(at("sum without (pod, level)" + counts), ElementsAre("{app=a} 30", "{app=b} 15"));
  EXPECT_THAT(at("count" + counts), ElementsAre("{} 5"));
  EXPECT_THAT(at("avg by (level)" + counts),
              ElementsAre("{level=error} 5", "{level=info} 11.666667"));
  EXPECT_THAT(at("max by (level)" + counts), ElementsAre("{level=error} 5", "{level=info} 15"));
  EXPECT_THAT(at("stddev by (level)" + counts),
              ElementsAre("{level=error} 0", "{level=info} 2.357023"));
  EXPECT_THAT(at("topk(1," + counts.substr(1)), ElementsAre("{app=b,level=info} 15"));
  EXPECT_THAT(at("bottomk(1,sum by (level)" + counts + ")"), ElementsAre("{level=error} 10"));
  EXPECT_THAT(at("sort(sum by (level)" + counts + ")"),
              ElementsAre("{level=error} 10", "{level=info} 35"));
  EXPECT_THAT(at("sort_desc(sum by (level)" + counts + ")"),
              ElementsAre("{level=info} 35", "{level=error} 10"));
}

TEST_F(LogQl, Operators) {
  const std::string a = "sum by (app)(count_over_time({app=\"a\"}[10s]))";
  const std::string b = "sum by (app)(count_over_time({app=\"b\"}[10s]))";
  const std::string both = "sum by (app)(count_over_time({app=~\"a|b\"}[10s]))";
  EXPECT_THAT(at("1 + 2"), ElementsAre("scalar 3"));
  EXPECT_THAT(at("vector(3)"), ElementsAre("{} 3"));
  EXPECT_THAT(at(both + " * 2 + 1"), ElementsAre("{app=a} 21", "{app=b} 11"));
  EXPECT_THAT(at("100 / " + both), ElementsAre("{app=a} 10", "{app=b} 20"));
  EXPECT_THAT(at(both + " > 5"), ElementsAre("{app=a} 10"));
  EXPECT_THAT(at("5 < " + both), ElementsAre("{app=a} 10"));
  EXPECT_THAT(at(both + " > bool 5"), ElementsAre("{app=a} 1", "{app=b} 0"));
  EXPECT_THAT(at(a + " / " + both), ElementsAre("{app=a} 1"));
  EXPECT_THAT(at(a + " / on() " + b), ElementsAre("{} 2"));
  EXPECT_THAT(at(both + " - on() group_left " + b), ElementsAre("{app=a} 5", "{app=b} 0"));
  EXPECT_THAT(at(b + " - on() group_right " + both), ElementsAre("{app=a} -5", "{app=b} 0"));
  EXPECT_THAT(at(both + " and " + a), ElementsAre("{app=a} 10"));
  EXPECT_THAT(at(both + " unless " + a), ElementsAre("{app=b} 5"));
  EXPECT_THAT(at(a + " or " + both), ElementsAre("{app=a} 10", "{app=b} 5"));
  EXPECT_THAT(at(b + " - on() " + both),
              ElementsAre(HasSubstr("found duplicate series on the right hand-side")));
  EXPECT_THAT(at(both + " - on() " + b), ElementsAre(HasSubstr("many-to-one matching must be")));
  EXPECT_THAT(at("label_replace(" + a + ",\"x\",\"<$1>\",\"app\",\"(.*)\")"),
              ElementsAre("{app=a,x=<a>} 10"));
}

TEST_F(LogQl, AnErrorOfAParserFailsAMetricUnlessItIsFiltered) {
  source_.add(59 * kSecond, {{"app", "j"}}, "{\"v\":1}");
  source_.add(59 * kSecond, {{"app", "j"}}, "no json");
  EXPECT_THAT(at("count_over_time({app=\"j\"} | json [10s])"),
              ElementsAre(HasSubstr("pipeline error: 'JSONParserErr' for series")));
  EXPECT_THAT(at("count_over_time({app=\"j\"} | json | __error__=\"\" [10s])"),
              ElementsAre("{app=j,v=1} 1"));
  // Nothing of the parser is needed.
  EXPECT_THAT(at("sum(count_over_time({app=\"j\"} | json [10s]))"), ElementsAre("{} 2"));
  EXPECT_THAT(at("sum by (__error__)(count_over_time({app=\"j\"} | json [10s]))"),
              ElementsAre("{} 1", "{__error__=JSONParserErr} 1"));
  EXPECT_THAT(at("sum(sum_over_time({app=\"a\"} | logfmt | unwrap level [10s]))"),
              ElementsAre(HasSubstr("pipeline error: 'SampleExtractionErr'")));
}

TEST_F(LogQl, AMatrixHasAPointAtEachStep) {
  const auto result =
      Engine().range("sum(count_over_time({app=\"a\"}[20s]))",
                     {.start = 0, .end = 70 * kSecond, .step = 10 * kSecond}, source_);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->type, ResultType::kMatrix);
  ASSERT_EQ(result->series.size(), 1u);
  std::vector<std::string> points;
  for (const ResultPoint& point : result->series[0].points)
    points.push_back(std::to_string(point.time_ms) + "=" + print(point.value));
  EXPECT_THAT(points, ElementsAre("0=1", "10000=11", "20000=20", "30000=20", "40000=20", "50000=20",
                                  "60000=19", "70000=9"));
}

TEST_F(LogQl, EntriesComeInTheirDirectionUpToTheLimit) {
  const auto times = [&](RangeQuery range, const std::string& query) {
    const auto result = Engine().range(query, range, source_);
    std::vector<std::int64_t> seconds;
    for (const ResultEntry& entry : result->entries) seconds.push_back(entry.time / kSecond);
    return seconds;
  };
  const std::string errors = "{app=\"a\"} |= \"error\"";
  EXPECT_THAT(times({.start = 0, .end = 30 * kSecond, .limit = 3}, errors),
              ElementsAre(27, 24, 21));
  EXPECT_THAT(
      times({.start = 3 * kSecond, .end = 30 * kSecond, .limit = 2, .is_newest_first = false},
            errors),
      ElementsAre(3, 6));
  EXPECT_THAT(times({.start = 0,
                     .end = 30 * kSecond,
                     .interval = 7 * kSecond,
                     .limit = 9,
                     .is_newest_first = false},
                    errors),
              ElementsAre(0, 9, 18, 27));
  EXPECT_EQ(source_.selects.back().lines.size(), 1u) << "the store gets the condition";
}

TEST_F(LogQl, ALineThatIsChangedIsNoConditionOfTheStore) {
  const auto pushed = [&](const std::string& query) {
    EXPECT_TRUE(Engine().range(query, {.start = 0, .end = kSecond}, source_).ok());
    return source_.selects.back().lines.size();
  };
  EXPECT_EQ(pushed("{app=\"a\"} |= \"x\" | json !~ \"y\""), 2u);
  EXPECT_EQ(pushed("{app=\"a\"} | line_format \"x\" |= \"x\""), 0u);
  EXPECT_EQ(pushed("{app=\"a\"} | unpack |= \"x\""), 0u);
  EXPECT_EQ(pushed("{app=\"a\"} |= \"x\" or \"y\" |= ip(\"1.2.3.4\") |> \"<_>\""), 0u);
}

TEST_F(LogQl, BoundsAreErrors) {
  const RangeQuery all{.start = 0, .end = 60 * kSecond, .step = kSecond};
  EXPECT_THAT(Engine({.entries_max = 50}).range("{app=\"a\"}", all, source_).error().message,
              HasSubstr("max entries limit per query exceeded, limit > max_entries_limit_per_query "
                        "(100 > 50)"));
  EXPECT_THAT(
      Engine({.series_max = 1}).range("rate({app=\"a\"}[1m])", all, source_).error().message,
      HasSubstr("maximum number of series (1) reached"));
  EXPECT_EQ(Engine({.steps_max = 59}).range("rate({app=\"a\"}[1m])", all, source_).error().code,
            Code::kResourceExhausted);
  source_.hold_max = 1;
  EXPECT_EQ(
      Engine().range("count_over_time({app=~\".+\"} | logfmt [1m])", all, source_).error().code,
      Code::kResourceExhausted);
  EXPECT_THAT(at("{app=\"a\"}"), ElementsAre(HasSubstr("not supported as an instant query type")));
}

}  // namespace
}  // namespace spanway::query::logql
