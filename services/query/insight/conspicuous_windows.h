// The conspicuous ones among the newest windows of many operations, and the operations to
// report.
#pragma once

#include <cstddef>
#include <vector>

#include "services/query/insight/thresholds.h"

namespace spanway::query::insight {

// One window of one operation, compared with its baseline.
struct WindowTest {
  bool is_tested = false;  // Enough calls, and a baseline.
  double p_value = 1;
  bool is_large = false;  // The change is large enough to matter.
};

// Each row has the windows of one operation, the newest last, all rows as many. Returns the rows
// to report: see WindowThresholds. Tests of one window are one family for the rate of false
// discoveries.
std::vector<std::size_t> conspicuous_rows(const std::vector<std::vector<WindowTest>>& rows,
                                          const WindowThresholds& thresholds);

}  // namespace spanway::query::insight
