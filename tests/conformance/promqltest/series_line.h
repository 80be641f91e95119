// One line of a promqltest file: labels and values.
#pragma once

#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/promql/value.h"

namespace spanway::promqltest {

struct SequenceValue {
  bool omitted = false;
  double number = 0;
  query::promql::HistogramPtr histogram;
  bool has_hint = false;  // The histogram's hint is written, so that it is compared.
};

struct SeriesLine {
  query::Labels labels;
  std::vector<SequenceValue> values;
};

// `a{b="c"} 1 2+3x4 _ stale {{count:1}}x2`.
Result<SeriesLine> parse_series_line(std::string_view line);
// `-1m 30s+10sx3 _`: milliseconds, relative to the time of a sample.
Result<std::vector<SequenceValue>> parse_start_times(std::string_view text);
// As strconv.ParseFloat of the whole text.
bool parse_number(std::string_view text, double& value);

}  // namespace spanway::promqltest
