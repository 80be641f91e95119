// Each function, aggregation and operator on series that are loaded as in Prometheus's tests.
#include "services/query/promql/engine.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/conformance/promqltest/compare.h"
#include "tests/conformance/promqltest/memory_source.h"
#include "tests/conformance/promqltest/test_file.h"

namespace spanway::query::promql {
namespace {

constexpr const char* kSeries = R"(load 1m
  up{job="a"} 1 1 0 1 _ 1
  requests_total{job="a"} 0+60x10
  requests_total{job="b"} 0+120x4 0+120x5
  gauge{job="a"} 1 -2 3.5 NaN 5 6
  limit{job="a"} 10x10
  duration_bucket{le="1"} 0+1x10
  duration_bucket{le="2"} 0+3x10
  duration_bucket{le="+Inf"} 0+4x10
  native {{schema:0 count:4 sum:6 buckets:[2 2]}}x10
)";

EngineOptions experimental() {
  EngineOptions options;
  options.parse.experimental = true;
  return options;
}

// The first difference from the lines of results; "" when nothing does.
std::string difference(const std::string& query, const std::string& results,
                       const std::string& when = "5m") {
  promqltest::MemorySource source;
  const auto commands = promqltest::parse_test_file(std::string(kSeries) + "\neval instant at " +
                                                    when + " " + query + "\n" + results + "\n");
  if (!commands.ok()) return commands.error().message;
  source.load(std::get<promqltest::Load>((*commands)[0]));
  const auto& eval = std::get<promqltest::Eval>((*commands)[1]);
  const auto result = Engine(experimental()).instant(query, eval.time_ms, source);
  return result.ok() ? promqltest::difference(eval, *result) : result.error().message;
}

struct Case {
  const char* query;
  const char* results;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.query; }

class Evaluates : public testing::TestWithParam<Case> {};
TEST_P(Evaluates, ToTheResult) {
  EXPECT_EQ(difference(GetParam().query, GetParam().results), "") << GetParam().query;
}

INSTANTIATE_TEST_SUITE_P(
    RangeFunctions, Evaluates,
    testing::ValuesIn(std::vector<Case>{
        {"rate(requests_total{job='a'}[5m])", "{job=\"a\"} 1"},
        {"increase(requests_total{job='a'}[5m])", "{job=\"a\"} 300"},
        {"irate(requests_total{job='a'}[5m])", "{job=\"a\"} 1"},
        {"idelta(gauge[5m])", "{job=\"a\"} 1"},
        {"delta(requests_total{job='a'}[5m])", "{job=\"a\"} 300"},
        {"resets(requests_total[5m])", "{job=\"a\"} 0\n{job=\"b\"} 1"},
        {"changes(up[5m])", "{job=\"a\"} 2"},
        {"sum_over_time(up[6m])", "{job=\"a\"} 4"},
        {"avg_over_time(up[6m])", "{job=\"a\"} 0.8"},
        {"count_over_time(up[6m])", "{job=\"a\"} 5"},
        {"min_over_time(gauge[6m])", "{job=\"a\"} -2"},
        {"max_over_time(gauge[6m])", "{job=\"a\"} 6"},
        {"last_over_time(gauge[6m])", "gauge{job=\"a\"} 6"},
        {"first_over_time(gauge[6m])", "gauge{job=\"a\"} 1"},
        {"present_over_time(up[6m])", "{job=\"a\"} 1"},
        {"quantile_over_time(0.5, limit[5m])", "{job=\"a\"} 10"},
        {"stddev_over_time(limit[5m])", "{job=\"a\"} 0"},
        {"stdvar_over_time(up[6m])", "{job=\"a\"} 0.16"},
        {"mad_over_time(up[6m])", "{job=\"a\"} 0"},
        {"deriv(requests_total{job='a'}[5m])", "{job=\"a\"} 1"},
        {"predict_linear(requests_total{job='a'}[5m], 60)", "{job=\"a\"} 360"},
        {"double_exponential_smoothing(limit[5m], 0.5, 0.5)", "{job=\"a\"} 10"},
        {"ts_of_max_over_time(gauge[6m])", "{job=\"a\"} 300"},
        {"absent_over_time(nothing{a='b'}[5m])", "{a=\"b\"} 1"},
        {"absent_over_time(up[5m])", ""},
        {"max_over_time(rate(requests_total{job='a'}[1m:10s])[2m:1m])", "{job=\"a\"} 1.2"}}));

INSTANTIATE_TEST_SUITE_P(
    VectorFunctions, Evaluates,
    testing::ValuesIn(std::vector<Case>{
        {"abs(-gauge)", "{job=\"a\"} 6"},
        {"ceil(gauge / 4)", "{job=\"a\"} 2"},
        {"floor(gauge / 4)", "{job=\"a\"} 1"},
        {"round(gauge / 4)", "{job=\"a\"} 2"},
        {"round(gauge, 4)", "{job=\"a\"} 8"},
        {"clamp(gauge, 1, 2)", "{job=\"a\"} 2"},
        {"clamp(gauge, 2, 1)", ""},
        {"clamp_min(gauge, 9)", "{job=\"a\"} 9"},
        {"clamp_max(gauge, 2)", "{job=\"a\"} 2"},
        {"sgn(-gauge)", "{job=\"a\"} -1"},
        {"exp(up)", "{job=\"a\"} 2.718281828"},
        {"ln(limit)", "{job=\"a\"} 2.302585093"},
        {"log2(limit)", "{job=\"a\"} 3.321928095"},
        {"log10(limit)", "{job=\"a\"} 1"},
        {"sqrt(limit)", "{job=\"a\"} 3.16227766"},
        {"deg(vector(pi()))", "{} 180"},
        {"rad(vector(180))", "{} 3.141592654"},
        {"sin(vector(0))", "{} 0"},
        {"acosh(vector(1))", "{} 0"},
        {"timestamp(up)", "{job=\"a\"} 300"},
        {"timestamp(up @ 100)", "{job=\"a\"} 60"},
        {"time()", "300"},
        {"scalar(gauge)", "6"},
        {"scalar(requests_total)", "NaN"},
        {"vector(1)", "{} 1"},
        {"minute()", "{} 5"},
        {"hour(vector(7200))", "{} 2"},
        {"day_of_week(vector(0))", "{} 4"},
        {"day_of_month(vector(86400))", "{} 2"},
        {"day_of_year(vector(86400))", "{} 2"},
        {"days_in_month(vector(2678400))", "{} 28"},
        {"month(vector(2678400))", "{} 2"},
        {"year(vector(-1))", "{} 1969"},
        {"absent(nothing{a='b',c=~'d'})", "{a=\"b\"} 1"},
        {"absent(up)", ""},
        {"sort(requests_total)",
         "expect ordered\nrequests_total{job=\"b\"} 0\nrequests_total{job=\"a\"} 300"},
        {"sort_desc(requests_total)",
         "expect ordered\nrequests_total{job=\"a\"} 300\nrequests_total{job=\"b\"} 0"},
        {"sort_by_label_desc(requests_total, 'job')",
         "expect ordered\nrequests_total{job=\"b\"} 0\nrequests_total{job=\"a\"} 300"},
        {"label_replace(up, 'x', '$1-${1}', 'job', '(.*)')", "up{job=\"a\", x=\"a-a\"} 1"},
        {"label_replace(up, 'x', 'y', 'job', 'b')", "up{job=\"a\"} 1"},
        {"label_join(up, 'x', '-', 'job', 'job')", "up{job=\"a\", x=\"a-a\"} 1"},
        {"histogram_quantile(0.5, duration_bucket)", "{} 1.5"},
        {"histogram_fraction(0, 1, duration_bucket)", "{} 0.25"},
        {"histogram_count(native)", "{} 4"},
        {"histogram_sum(native)", "{} 6"},
        {"histogram_avg(native)", "{} 1.5"},
        {"histogram_quantile(0.75, native)", "{} 1.414213562"}}));

INSTANTIATE_TEST_SUITE_P(Aggregations, Evaluates,
                         testing::ValuesIn(std::vector<Case>{
                             {"sum(requests_total)", "{} 300"},
                             {"sum by (job) (requests_total)", "{job=\"a\"} 300\n{job=\"b\"} 0"},
                             {"sum without (job) (requests_total)", "{} 300"},
                             {"avg(requests_total)", "{} 150"},
                             {"min(requests_total)", "{} 0"},
                             {"max(requests_total)", "{} 300"},
                             {"count(requests_total)", "{} 2"},
                             {"group(requests_total)", "{} 1"},
                             {"stddev(requests_total)", "{} 150"},
                             {"stdvar(requests_total)", "{} 22500"},
                             {"quantile(0.5, requests_total)", "{} 150"},
                             {"topk(1, requests_total)", "requests_total{job=\"a\"} 300"},
                             {"bottomk(1, requests_total)", "requests_total{job=\"b\"} 0"},
                             {"limitk(1, requests_total)", "requests_total{job=\"a\"} 300"},
                             {"limit_ratio(1, up)", "up{job=\"a\"} 1"},
                             {"count_values('v', requests_total)", "{v=\"0\"} 1\n{v=\"300\"} 1"}}));

INSTANTIATE_TEST_SUITE_P(
    Operators, Evaluates,
    testing::ValuesIn(std::vector<Case>{
        {"1 + 2 * 3 ^ 2 % 5", "4"},
        {"-gauge", "{job=\"a\"} -6"},
        {"gauge > 5", "gauge{job=\"a\"} 6"},
        {"gauge > bool 7", "{job=\"a\"} 0"},
        {"5 < gauge", "gauge{job=\"a\"} 6"},
        {"gauge + limit", "{job=\"a\"} 16"},
        {"limit - on(job) gauge", "{job=\"a\"} 4"},
        {"requests_total / on(job) group_left() limit", "{job=\"a\"} 30"},
        {"up and requests_total", "up{job=\"a\"} 1"},
        {"requests_total unless up", "requests_total{job=\"b\"} 0"},
        {"up or requests_total", "up{job=\"a\"} 1\nrequests_total{job=\"b\"} 0"},
        {"up + on(job) fill(0) requests_total", "{job=\"a\"} 301\n{job=\"b\"} 0"},
        {"gauge atan2 gauge", "{job=\"a\"} 0.7853981634"},
        {"gauge offset 1m", "gauge{job=\"a\"} 5"},
        {"gauge @ 60", "gauge{job=\"a\"} -2"}}));

TEST(Lookback, OfFiveMinutesIsOpenAtItsBegin) {
  EXPECT_EQ(difference("up", "up{job=\"a\"} 1", "9m59s"), "");
  EXPECT_EQ(difference("up", "", "10m"), "");
}

TEST(Engine, AQueryThatCannotBeEvaluatedSaysWhy) {
  promqltest::MemorySource source;
  const auto commands = promqltest::parse_test_file(kSeries);
  source.load(std::get<promqltest::Load>((*commands)[0]));
  const auto result = Engine({}).instant("limit * on() requests_total", 300'000, source);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(
      result.error().message.starts_with("found duplicate series for the match group {} "
                                         "on the right hand-side of the operation"))
      << result.error().message;
}

TEST(Engine, KeepsItsBoundsOfStepsAndSamples) {
  promqltest::MemorySource source;
  const auto commands = promqltest::parse_test_file(kSeries);
  source.load(std::get<promqltest::Load>((*commands)[0]));
  EngineOptions options;
  EXPECT_TRUE(Engine(options).range("1", 0, 10'999'000, 1000, source).ok());
  const auto steps = Engine(options).range("1", 0, 11'000'000, 1000, source);
  ASSERT_FALSE(steps.ok());
  EXPECT_EQ(steps.error().code, Code::kResourceExhausted);
  options.samples_max = 20;
  EXPECT_TRUE(Engine(options).instant("up", 300'000, source).ok());
  const auto samples = Engine(options).range("requests_total", 0, 600'000, 1000, source);
  ASSERT_FALSE(samples.ok());
  EXPECT_EQ(samples.error().code, Code::kResourceExhausted);
}

TEST(Annotations, AreOnceEachWithLineAndColumn) {
  promqltest::MemorySource source;
  const auto commands = promqltest::parse_test_file(kSeries);
  source.load(std::get<promqltest::Load>((*commands)[0]));
  const std::string query = "sum(rate(\n  gauge[5m]))";
  const auto result = Engine({}).range(query, 60'000, 300'000, 60'000, source);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(
      result->annotations.infos(query),
      std::vector<std::string>{"PromQL info: metric might not be a counter, name does not end in "
                               "_total/_sum/_count/_bucket: \"gauge\" (2:3)"});
  EXPECT_TRUE(result->annotations.warnings(query).empty());
}

}  // namespace
}  // namespace spanway::query::promql
