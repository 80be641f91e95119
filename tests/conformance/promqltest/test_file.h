// The commands of a promqltest file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "services/lib/base/result.h"
#include "tests/conformance/promqltest/series_line.h"

namespace spanway::promqltest {

struct Clear {};

struct LoadedSeries {
  SeriesLine line;
  std::vector<SequenceValue> start_times;  // As many as values, or none.
};
struct Load {
  std::int64_t step_ms = 0;
  bool with_custom_buckets = false;  // Classic histograms as native ones, too.
  std::vector<LoadedSeries> series;
};

// A text that is equal, or a regular expression that it contains.
struct Expectation {
  bool is_regex = true;
  std::string text = ".*";
};

struct Eval {
  std::size_t line = 0;  // From 1.
  std::string query;
  bool is_range = false;
  std::int64_t start_ms = 0;  // For an instant query: its time.
  std::int64_t end_ms = 0;
  std::int64_t step_ms = 1;
  std::int64_t time_ms = 0;
  bool is_ordered = false;
  bool skip_range_mode = false;
  bool expects_fail = false;
  bool any_warning = false;
  bool any_info = false;
  bool no_warning = false;
  bool no_info = false;
  std::vector<Expectation> fails, warnings, infos;
  bool expects_scalar = false;
  bool expects_string = false;
  double scalar = 0;
  std::string text;
  std::vector<SeriesLine> series;
};

using Command = std::variant<Clear, Load, Eval>;
Result<std::vector<Command>> parse_test_file(std::string_view text);

}  // namespace spanway::promqltest
