// Random queries over random entries against an evaluation that is written down as the words of
// Loki's documentation say it: every step for itself, over all entries.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "services/query/logql/engine.h"
#include "tests/unit/logql/vector_source.h"

namespace spanway::query::logql {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
using Map = std::map<std::string, std::string>;

struct Line {
  std::int64_t time = 0;
  Map labels;
  std::string text;
};

// A query in parts, of which the text and the naive evaluation are made.
struct Question {
  std::string app_regex, contains, lacks, level;
  bool parses = false;
  int more_than = -1;
  std::string function;  // Empty = entries.
  std::int64_t range = 0, step = 0, offset = 0;
  std::vector<std::string> by;
  bool newest_first = false;
  std::size_t limit = 10;

  std::string pipeline() const {
    std::string text = "{app=~\"" + app_regex + "\"}";
    if (!contains.empty()) text += " |= \"" + contains + "\"";
    if (!lacks.empty()) text += " != \"" + lacks + "\"";
    if (parses) text += " | logfmt";
    if (!level.empty()) text += " | level=\"" + level + "\"";
    if (more_than >= 0) text += " | v>" + std::to_string(more_than);
    return text;
  }
  bool unwraps() const { return function != "count_over_time" && function != "rate"; }
  std::string text() const {
    if (function.empty()) return pipeline();
    std::string groups;
    for (const std::string& name : by) groups += (groups.empty() ? "" : ",") + name;
    return "sum by (" + groups + ") (" + function + "(" + pipeline() +
           (unwraps() ? " | unwrap v " : "") + "[" + std::to_string(range) + "s] offset " +
           std::to_string(offset) + "s))";
  }
};

class Naive {
 public:
  explicit Naive(std::vector<Line> lines) : lines_(std::move(lines)) {}

  std::vector<Line> matching(const Question& q) const {
    std::vector<Line> found;
    for (Line line : lines_) {
      if (!std::regex_match(line.labels.at("app"), std::regex(q.app_regex))) continue;
      if (line.text.find(q.contains) == std::string::npos) continue;
      if (!q.lacks.empty() && line.text.find(q.lacks) != std::string::npos) continue;
      if (q.parses) {
        std::istringstream words(line.text);
        for (std::string word; words >> word;)
          line.labels[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
      }
      if (!q.level.empty() && line.labels["level"] != q.level) continue;
      if (q.more_than >= 0 && (!q.parses || std::stoi(line.labels["v"]) <= q.more_than)) continue;
      found.push_back(line);
    }
    return found;
  }

  // The value of each group at a time.
  std::map<Map, double> at(const Question& q, std::int64_t time) const {
    const std::int64_t end = time - q.offset * kSecond;
    std::map<Map, std::vector<double>> series;
    for (const Line& line : matching(q)) {
      if (line.time > end || line.time <= end - q.range * kSecond) continue;
      Map labels = line.labels;
      double value = 1;
      if (q.unwraps()) {
        if (!q.parses) continue;
        value = std::stod(labels["v"]);
        labels.erase("v");
      }
      series[labels].push_back(value);
    }
    std::map<Map, double> result;
    for (const auto& [labels, values] : series) {
      Map group;
      for (const std::string& name : q.by)
        if (labels.contains(name)) group[name] = labels.at(name);
      result[group] += fold(q, values);
    }
    return result;
  }

 private:
  static double fold(const Question& q, const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    if (q.function == "rate") return sum / static_cast<double>(q.range);
    if (q.function == "max_over_time") return *std::max_element(values.begin(), values.end());
    if (q.function == "min_over_time") return *std::min_element(values.begin(), values.end());
    if (q.function == "avg_over_time") return sum / static_cast<double>(values.size());
    return sum;
  }
  const std::vector<Line> lines_;
};

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }
  template <std::size_t n>
  std::string one_of(const char* const (&texts)[n]) {
    return texts[below(n)];
  }

  Line line(int number) {
    Line line;
    line.time = number * kSecond / 2 + static_cast<std::int64_t>(below(400'000'000));
    line.labels["app"] = one_of({"a", "b", "shop"});
    line.text = "level=" + one_of({"info", "error"}) + " v=" + std::to_string(below(20)) +
                " word=" + one_of({"disk", "cart"});
    return line;
  }
  Question question() {
    Question q;
    q.app_regex = one_of({"a|b", "shop", ".+"});
    q.contains = one_of({"", "error", "disk", "v=1"});
    q.lacks = one_of({"", "", "cart"});
    q.parses = below(3) > 0;
    if (q.parses) q.level = one_of({"", "info", "error"});
    if (q.parses && below(3) == 0) q.more_than = static_cast<int>(below(20));
    if (below(3) == 0) {
      q.newest_first = below(2) == 0;
      q.limit = 1 + below(40);
      return q;
    }
    q.function = one_of({"count_over_time", "rate", "sum_over_time", "max_over_time",
                         "min_over_time", "avg_over_time"});
    q.range = 1 + static_cast<std::int64_t>(below(30));
    q.step = 1 + static_cast<std::int64_t>(below(20));
    q.offset = static_cast<std::int64_t>(below(10));
    for (const char* name : {"app", "level", "word"})
      if (below(2) == 0) q.by.emplace_back(name);
    return q;
  }

 private:
  std::mt19937 random_;
};

void check_entries(const Question& q, const Naive& naive, VectorSource& source) {
  const RangeQuery range{.start = 20 * kSecond,
                         .end = 90 * kSecond,
                         .limit = q.limit,
                         .is_newest_first = q.newest_first};
  const auto result = Engine().range(q.text(), range, source);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::vector<Line> expected;
  for (const Line& line : naive.matching(q))
    if (line.time >= range.start && line.time < range.end) expected.push_back(line);
  std::sort(expected.begin(), expected.end(), [&](const Line& a, const Line& b) {
    return q.newest_first ? a.time > b.time : a.time < b.time;
  });
  if (expected.size() > q.limit) expected.resize(q.limit);
  ASSERT_EQ(result->entries.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(result->entries[i].time, expected[i].time);
    EXPECT_EQ(result->entries[i].line, expected[i].text);
    Map labels;
    for (const Labels* part :
         {&result->entries[i].labels.stream, &result->entries[i].labels.parsed})
      labels.insert(part->begin(), part->end());
    EXPECT_EQ(labels, expected[i].labels);
  }
}

void check_metric(const Question& q, const Naive& naive, VectorSource& source) {
  const RangeQuery range{.start = 10 * kSecond, .end = 100 * kSecond, .step = q.step * kSecond};
  const auto result = Engine().range(q.text(), range, source);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::map<std::pair<std::int64_t, Map>, double> found;
  for (const ResultSeries& series : result->series)
    for (const ResultPoint& point : series.points)
      found[{point.time_ms, Map(series.labels.begin(), series.labels.end())}] = point.value;
  std::map<std::pair<std::int64_t, Map>, double> expected;
  for (std::int64_t time = range.start; time <= range.end; time += range.step)
    for (const auto& [labels, value] : naive.at(q, time))
      expected[{time / 1'000'000, labels}] = value;
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [key, value] : expected) {
    ASSERT_TRUE(found.contains(key));
    EXPECT_NEAR(found.at(key), value, 1e-9);
  }
}

TEST(Naive, RandomQueriesHaveTheNaiveAnswers) {
  Generator generator(3);
  std::vector<Line> lines;
  for (int i = 0; i < 200; ++i) lines.push_back(generator.line(i));
  VectorSource source;
  for (const Line& line : lines)
    source.add(line.time, Labels(line.labels.begin(), line.labels.end()), line.text);
  const Naive naive(lines);
  for (int i = 0; i < 300 && !testing::Test::HasFailure(); ++i) {
    const Question q = generator.question();
    SCOPED_TRACE("query " + std::to_string(i) + ": " + q.text());
    q.function.empty() ? check_entries(q, naive, source) : check_metric(q, naive, source);
  }
}

}  // namespace
}  // namespace spanway::query::logql
