// Entries of logs, and where an engine reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/labels/label_matcher.h"
#include "services/query/store/log_query.h"

namespace spanway::query::logql {

// One line with its labels. Names are valid in Loki, labels and metadata are ordered by name.
struct Entry {
  std::int64_t time = 0;  // Unix nanoseconds.
  std::shared_ptr<const Labels> stream;
  Labels metadata;
  std::string line;
};

// The labels of an entry behind a pipeline, by where they come from.
struct EntryLabels {
  Labels stream;
  Labels metadata;
  Labels parsed;
};

// Entries that a query wants.
struct EntrySelect {
  std::vector<LabelMatcher> matchers;
  TimeRange range;
  // Conditions that hold for every entry that the query uses. A source may ignore them.
  std::vector<LineFilter> lines;
  bool is_newest_first = false;
  std::size_t expected = 0;  // How many the query will take; 0 = all of the range.
};

// Pulled by one thread; destroyed early, it ends the read.
class EntryStream {
 public:
  virtual ~EntryStream() = default;
  // The next entry by time; nothing at the end. An error fails the query.
  virtual Result<std::optional<Entry>> next() = 0;
};

// Where entries come from. Called on the thread that evaluates; cancel and deadline are the
// source's to check.
class EntrySource {
 public:
  virtual ~EntrySource() = default;
  virtual Result<std::unique_ptr<EntryStream>> select(const EntrySelect& query) = 0;
  // Reports the bytes that the engine holds. An error fails the query.
  virtual Status hold(std::size_t bytes) = 0;
};

}  // namespace spanway::query::logql
