// The points of one stored histogram or summary as series of PromQL.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/query/promql/value.h"
#include "services/query/series/histogram_rows.h"
#include "services/query/series/selection.h"
#include "services/query/store/metric_query.h"

namespace spanway::query {

// One stored series. Single-thread.
class HistogramParts {
 public:
  // Parts that the selection does not take are left out. It outlives this.
  HistogramParts(Series series, const Selection& selection);
  // The next point, ascending by time; one at the time of the last one is dropped.
  void add(const HistogramRow& row);
  // The series that have points.
  std::vector<promql::PointSeries> take();

 private:
  struct Part {
    bool is_taken = false;
    promql::PointSeries series;
    double total = 0;  // The running sum, for delta.
  };
  // By name and label; made on first use.
  Part& part(std::string_view suffix, std::string_view label = "", const std::string& value = "");
  void add_value(Part& part, const HistogramRow& row, double value);
  void add_classic(const HistogramRow& row);
  void add_native(const HistogramRow& row);
  void add_summary(const HistogramRow& row);

  const Series stored_;
  const Selection& selection_;
  const std::string metric_;
  std::map<std::pair<std::string, std::string>, Part> parts_;
  std::optional<promql::Histogram> native_total_;  // The same.
  promql::HistogramPtr last_native_;
  std::optional<std::int64_t> last_ms_;
};

// The kind of a point, by its row; the stored type decides where both fit.
enum class HistogramKind : unsigned char { kExplicit, kExponential, kSummary };
HistogramKind kind_of(const HistogramRow& row, SeriesType stored) noexcept;

// The values of "le" and "quantile" that the points of a row have.
std::vector<std::string> bound_texts(const HistogramRow& row, SeriesType stored);

}  // namespace spanway::query
