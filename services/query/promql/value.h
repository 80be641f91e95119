// Results of queries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/labels/label_matcher.h"
#include "services/query/promql/ast.h"
#include "services/query/promql/histogram.h"

namespace spanway::query::promql {

struct Point {
  std::int64_t t = 0;  // Unix milliseconds.
  double f = 0;
  HistogramPtr h = nullptr;  // Then f has no meaning.
  std::int64_t start = 0;    // Start of a counter; 0 = unknown.
};

// Points ascend by time. Labels ascend by the bytes of their names.
struct PointSeries {
  Labels labels;
  std::vector<Point> points;
  bool drop_name = false;  // The name goes at the end of the query.
};
using Matrix = std::vector<PointSeries>;

// One element of an instant vector.
struct Element {
  Labels labels;
  double f = 0;
  HistogramPtr h = nullptr;
  bool drop_name = false;
};
using Vector = std::vector<Element>;

// Notes for the user beside a result, each once.
class Annotations {
 public:
  void warn(std::string text, Position position) { add(true, std::move(text), position); }
  void info(std::string text, Position position) { add(false, std::move(text), position); }
  // "PromQL warning: .. (1:5)" and "PromQL info: .."; line and column are the query's.
  std::vector<std::string> warnings(std::string_view query) const { return texts(true, query); }
  std::vector<std::string> infos(std::string_view query) const { return texts(false, query); }

 private:
  struct Note {
    bool is_warning = false;
    std::string text;
    Position position;
    bool operator==(const Note&) const = default;
  };
  // Further notes of a query are dropped.
  static constexpr std::size_t kNotesMax = 1000;
  void add(bool is_warning, std::string text, Position position);
  std::vector<std::string> texts(bool is_warning, std::string_view query) const;
  std::vector<Note> notes_;
};

// Prometheus's marker of the end of a series.
bool is_stale(const Point& point);
double stale_marker();

// UTF-8 that is not empty.
bool is_label_name(std::string_view name);

// Label sets that ascend by name.
void sort_labels(Labels& labels);
void set_label(Labels& labels, std::string_view name, std::string value);  // "" removes it.
Labels only(const Labels& labels, const std::vector<std::string>& names);
// Without the name too.
Labels without(const Labels& labels, const std::vector<std::string>& names);
// Without name, type and unit.
Labels without_name(const Labels& labels);
std::string to_string(const Labels& labels);
std::string_view metric_name(const Labels& labels);

}  // namespace spanway::query::promql
