// Parameters of Tempo's requests.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/query/api/tempo/search_parameters.h"
#include "services/query/api/tempo/tag_search.h"
#include "services/query/api/tempo/time_text.h"

namespace spanway::query::tempo {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Parameters parsed(std::string_view text) {
  Parameters parameters;
  EXPECT_TRUE(parameters.parse(text).ok()) << text;
  return parameters;
}

TEST(SearchParameters, HaveTheDefaultsOfTempo) {
  const auto search = parse_search(parsed(""));
  ASSERT_TRUE(search.ok());
  EXPECT_EQ(search->query, "{ }");
  EXPECT_EQ(search->search.limit, 20u);
  EXPECT_EQ(search->search.spans_per_set, 3u);
  EXPECT_EQ(search->search.range, TimeRange());
}

TEST(SearchParameters, AreReadAsGrafanaSendsThem) {
  const auto search =
      parse_search(parsed("q=%7Bstatus%3Derror%7D&limit=5&spss=10&start=100&end=200"));
  ASSERT_TRUE(search.ok());
  EXPECT_EQ(search->query, "{status=error}");
  EXPECT_EQ(search->search.limit, 5u);
  EXPECT_EQ(search->search.spans_per_set, 10u);
  EXPECT_EQ(search->search.range, (TimeRange{100 * kSecond, 201 * kSecond}));
}

TEST(SearchParameters, AreRefusedInTemposWords) {
  for (const auto& [text, what] : std::vector<std::pair<const char*, const char*>>{
           {"q={}&tags=a=b", "invalid request: can't specify tags and q in the same query"},
           {"limit=0", "invalid limit: must be a positive number"},
           {"limit=2000", "limit 2000 exceeds max limit 1500"},
           {"limit=x", "invalid limit: \"x\" is no number from 0 to 4294967295"},
           {"start=5&end=5", "http parameter start must be before end. received start=5 end=5"},
           {"tags=a=1 a=2", "invalid tags: tag a has been set twice"},
           {"tags=a=\"b", "invalid tags: unterminated quoted value"},
           {"minDuration=2s&maxDuration=1s",
            "invalid maxDuration: must be greater than minDuration"}}) {
    Parameters parameters;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      const std::size_t equal = pair.find('=');
      parameters.add(std::string(pair.substr(0, equal)), std::string(pair.substr(equal + 1)));
    }
    const auto search = parse_search(parameters);
    ASSERT_FALSE(search.ok()) << text;
    EXPECT_EQ(search.error().message, what);
  }
}

TEST(TagSearch, BecomesTraceQl) {
  for (const auto& [tags, query] : std::vector<std::pair<const char*, const char*>>{
           {"service.name=shop", R"({ .service.name =~ "(?is).*shop.*" })"},
           {"name=\"GET /\"", R"({ name =~ "(?is).*GET /.*" })"},
           {"error=true a=1.5",
            R"({ .a =~ "(?is).*1\\.5.*" || .a = 1.5 } && { status = error })"}}) {
    Parameters parameters;
    parameters.add("tags", tags);
    const auto text = query_of_tags(parameters);
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(*text, query);
    EXPECT_TRUE(traceql::parse(*text).ok()) << *text;
  }
  Parameters durations;
  durations.add("minDuration", "100ms");
  durations.add("maxDuration", "1.5s");
  EXPECT_EQ(*query_of_tags(durations),
            "{ } | { traceDuration >= 100000000ns } | { traceDuration <= 1500000000ns }");
  EXPECT_TRUE(traceql::parse(*query_of_tags(durations)).ok());
}

TEST(Times, AreReadInEachForm) {
  for (const auto& [text, nanos] : std::vector<std::pair<const char*, std::int64_t>>{
           {"1767225600", 1767225600 * kSecond},
           {"1767225600.5", 1767225600 * kSecond + kSecond / 2},
           {"1767225600000000001", 1767225600 * kSecond + 1},
           {"2026-01-01T00:00:00Z", 1767225600 * kSecond},
           {"2026-01-01T02:00:00.25+02:00", 1767225600 * kSecond + kSecond / 4}})
    EXPECT_EQ(parse_time(text), nanos) << text;
  for (const char* text : {"", "now", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"})
    EXPECT_FALSE(parse_time(text)) << text;
}

TEST(SeriesParameters, DefaultToTheLastHour) {
  const SystemTime now{std::chrono::seconds(1'767'225'600)};
  const auto range = parse_series(parsed("q={}|rate()"), false, now);
  ASSERT_TRUE(range.ok());
  // 3,600 s in 240 steps of 15 s, with the ends and one more at the begin.
  EXPECT_EQ(range->series.intervals.count(), 241u);
  EXPECT_EQ(range->series.intervals.end_nanos(), 1'767'225'600 * kSecond);
  EXPECT_EQ(range->series.exemplars_max, kExemplarsMax);
  const auto instant = parse_series(parsed("query={}|rate()&since=5m"), true, now);
  ASSERT_TRUE(instant.ok());
  EXPECT_EQ(instant->query, "{}|rate()");
  EXPECT_EQ(instant->series.intervals.begin_nanos(), (1'767'225'600 - 300) * kSecond);
}

TEST(SeriesParameters, RefuseWhatIsNoRange) {
  const SystemTime now{std::chrono::seconds(1'767'225'600)};
  for (const char* text : {"start=2000&end=1000", "start=1000&end=2000&step=0", "since=x",
                           "start=1000&end=2000&step=x", "start=1&end=1767225600&step=1s"})
    EXPECT_FALSE(parse_series(parsed(text), false, now).ok()) << text;
}

TEST(SeriesParameters, TakeTheStepOfAHumanRange) {
  EXPECT_EQ(default_step(10 * kSecond), kSecond / 20);
  EXPECT_EQ(default_step(3600 * kSecond), 15 * kSecond);
  EXPECT_EQ(default_step(600 * kSecond), 2 * kSecond);
  EXPECT_EQ(default_step(24 * 3600 * kSecond), 300 * kSecond);
}

TEST(Hints, SetExemplars) {
  const auto hint = [](const char* text) { return exemplars_hint(*traceql::parse(text)); };
  EXPECT_EQ(hint("{} | rate()"), std::nullopt);
  EXPECT_EQ(hint("{} | rate() with(exemplars=false)"), 0u);
  EXPECT_EQ(hint("{} | rate() with(exemplars=7)"), 7u);
}

}  // namespace
}  // namespace spanway::query::tempo
