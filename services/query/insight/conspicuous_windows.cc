#include "services/query/insight/conspicuous_windows.h"

#include <algorithm>

#include "services/query/insight/significance.h"

namespace spanway::query::insight {

std::vector<std::size_t> conspicuous_rows(const std::vector<std::vector<WindowTest>>& rows,
                                          const WindowThresholds& thresholds) {
  std::size_t windows = 0;
  for (const auto& row : rows) windows = std::max(windows, row.size());
  std::vector<std::size_t> conspicuous(rows.size(), 0);
  std::vector<bool> newest(rows.size(), false);
  for (std::size_t window = 0; window < windows; ++window) {
    std::vector<double> p_values;
    for (const auto& row : rows)
      if (window < row.size() && row[window].is_tested) p_values.push_back(row[window].p_value);
    const double limit =
        std::min(thresholds.p_max,
                 benjamini_hochberg_limit(std::move(p_values), thresholds.false_discovery_rate));
    for (std::size_t index = 0; index < rows.size(); ++index) {
      if (window >= rows[index].size()) continue;
      const WindowTest& test = rows[index][window];
      if (!test.is_tested || !test.is_large || test.p_value > limit) continue;
      ++conspicuous[index];
      if (window + 1 == rows[index].size()) newest[index] = true;
    }
  }
  std::vector<std::size_t> result;
  for (std::size_t index = 0; index < rows.size(); ++index)
    if (newest[index] && conspicuous[index] >= thresholds.windows_conspicuous)
      result.push_back(index);
  return result;
}

}  // namespace spanway::query::insight
