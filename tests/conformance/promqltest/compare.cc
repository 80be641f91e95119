#include "tests/conformance/promqltest/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "services/query/promql/number_text.h"

namespace spanway::promqltest {
namespace {

using namespace query::promql;  // NOLINT: the types of results.

constexpr double kRelative = 1e-6;

bool is_almost(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double sum = std::fabs(a) + std::fabs(b);
  const double distance = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < std::numeric_limits<double>::min())
    return distance < kRelative * std::numeric_limits<double>::min();
  return distance / std::min(sum, std::numeric_limits<double>::max()) < kRelative;
}

bool same_buckets(const std::vector<Bucket>& a, const std::vector<Bucket>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Bucket& x, const Bucket& y) {
    return x.index == y.index && is_almost(x.count, y.count);
  });
}

bool same_histogram(Histogram expected, Histogram actual, bool with_hint) {
  expected.compact();
  actual.compact();
  return expected.schema == actual.schema && is_almost(expected.count, actual.count) &&
         is_almost(expected.sum, actual.sum) && expected.custom_bounds == actual.custom_bounds &&
         expected.zero_threshold == actual.zero_threshold &&
         is_almost(expected.zero_count, actual.zero_count) &&
         same_buckets(expected.positive, actual.positive) &&
         same_buckets(expected.negative, actual.negative) &&
         (!with_hint || expected.hint == actual.hint);
}

std::string text_of(double f, const HistogramPtr& h) {
  if (!h) return print_general(f);
  constexpr const char* kHints[] = {"unknown", "reset", "not_reset", "gauge"};
  return to_string(*h) + " schema " + std::to_string(h->schema) + " hint " +
         kHints[static_cast<int>(h->hint)];
}

std::string value_difference(const SequenceValue& expected, double f, const HistogramPtr& h) {
  const bool same = expected.histogram
                        ? h && same_histogram(*expected.histogram, *h, expected.has_hint)
                        : !h && is_almost(expected.number, f);
  if (same) return "";
  return "expected " + text_of(expected.number, expected.histogram) + ", got " + text_of(f, h);
}

std::string vector_difference(const Eval& expected, const Vector& actual) {
  std::map<query::Labels, std::size_t> positions;
  for (std::size_t i = 0; i < expected.series.size(); ++i) positions[expected.series[i].labels] = i;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto found = positions.find(actual[i].labels);
    const std::string where = to_string(actual[i].labels) + ": ";
    if (found == positions.end()) return where + "unexpected, " + text_of(actual[i].f, actual[i].h);
    if (expected.is_ordered && found->second != i) return where + "wrong position";
    const SeriesLine& line = expected.series[found->second];
    if (line.values.empty()) return where + "nothing expected";
    const std::string what = value_difference(line.values[0], actual[i].f, actual[i].h);
    if (!what.empty()) return where + what;
  }
  if (actual.size() < positions.size())
    return std::to_string(positions.size()) + " elements expected, got " +
           std::to_string(actual.size());
  return "";
}

std::string matrix_difference(const Eval& expected, const Matrix& actual) {
  std::map<query::Labels, const SeriesLine*> lines;
  for (const SeriesLine& line : expected.series) lines[line.labels] = &line;
  for (const PointSeries& series : actual) {
    const std::string where = to_string(series.labels) + ": ";
    const auto found = lines.find(series.labels);
    if (found == lines.end()) return where + "unexpected";
    std::size_t next = 0;
    std::int64_t t = expected.start_ms;
    for (const SequenceValue& value : found->second->values) {
      if (!value.omitted) {
        if (next >= series.points.size() || series.points[next].t != t)
          return where + "no point at " + std::to_string(t);
        const Point& point = series.points[next++];
        const std::string what = value_difference(value, point.f, point.h);
        if (!what.empty()) return where + "at " + std::to_string(t) + " " + what;
      }
      t += expected.step_ms;
    }
    if (next < series.points.size())
      return where + "unexpected point at " + std::to_string(series.points[next].t) + ": " +
             text_of(series.points[next].f, series.points[next].h);
  }
  if (actual.size() < lines.size())
    return std::to_string(lines.size()) + " series expected, got " + std::to_string(actual.size());
  return "";
}

bool fits(const Expectation& expectation, const std::string& text) {
  if (!expectation.is_regex) return expectation.text == text;
  const auto regex = query::Regex::within(expectation.text);
  return regex.ok() && regex->matches(text);
}

std::string notes_difference(const char* kind, const std::vector<Expectation>& expected,
                             const std::vector<std::string>& actual) {
  if (expected.empty()) return "";
  for (const Expectation& one : expected)
    if (std::none_of(actual.begin(), actual.end(),
                     [&](const std::string& text) { return fits(one, text); }))
      return std::string("no ") + kind + " " + one.text +
             (actual.empty() ? "" : ", but " + actual[0]);
  for (const std::string& text : actual)
    if (std::none_of(expected.begin(), expected.end(),
                     [&](const Expectation& one) { return fits(one, text); }))
      return std::string("unexpected ") + kind + " " + text;
  return "";
}

}  // namespace

std::string annotation_difference(const Eval& expected, const std::string& query,
                                  const Annotations& actual) {
  const std::vector<std::string> warnings = actual.warnings(query);
  const std::vector<std::string> infos = actual.infos(query);
  if (expected.any_warning && warnings.empty()) return "no warning";
  if (expected.any_info && infos.empty()) return "no info";
  if (expected.no_warning && !warnings.empty()) return "unexpected warning " + warnings[0];
  if (expected.no_info && !infos.empty()) return "unexpected info " + infos[0];
  const std::string what = notes_difference("warning", expected.warnings, warnings);
  return what.empty() ? notes_difference("info", expected.infos, infos) : what;
}

std::string failure_difference(const Eval& expected, const std::string& message) {
  for (const Expectation& one : expected.fails)
    if (!fits(one, message)) return "expected the error " + one.text + ", got " + message;
  return "";
}

std::string difference(const Eval& expected, const QueryResult& actual) {
  switch (actual.type) {
    case ValueType::kScalar:
      if (!expected.expects_scalar) return "unexpected scalar";
      return is_almost(expected.scalar, actual.scalar)
                 ? ""
                 : "expected " + print_general(expected.scalar) + ", got " +
                       print_general(actual.scalar);
    case ValueType::kString:
      return expected.text == actual.text ? "" : "got the string " + actual.text;
    case ValueType::kVector:
      return expected.expects_scalar ? "a scalar was expected"
                                     : vector_difference(expected, actual.vector);
    default:
      return expected.expects_scalar ? "a scalar was expected"
                                     : matrix_difference(expected, actual.matrix);
  }
}

}  // namespace spanway::promqltest
