// Questions to a store of logs, and its answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/query/labels/label_matcher.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// A condition on the body of a record that is a text. kEqual and kNotEqual: the body contains the
// text, or does not; a regex matches anywhere in it. A body that is no text fulfils every
// condition: its line is for the caller to make.
struct LineFilter {
  MatchOp op = MatchOp::kEqual;
  std::string text;
};

// Records that fulfil every condition.
struct LogSelect {
  TimeRange range = {};
  std::vector<LabelMatcher> matchers = {};
  std::vector<LineFilter> lines = {};
  bool is_newest_first = true;
  std::size_t limit = 100;
};

// Conditions on lines that a query may have.
inline constexpr std::size_t kLineFiltersMax = 8;

// Records of one label set. `id` is the column stream_id of a record.
struct LogStream {
  std::uint64_t id = 0;
  Labels labels;
  bool operator==(const LogStream&) const = default;
};

struct LogVolume {
  std::uint64_t stream_id = 0;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;  // The bodies of all lines.
  bool operator==(const LogVolume&) const = default;
};

}  // namespace spanway::query
