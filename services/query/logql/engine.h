// Evaluates LogQL over a source of entries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/logql/ast.h"
#include "services/query/logql/entry.h"

namespace spanway::query::logql {

struct EngineOptions {
  std::size_t entries_max = 5000;
  std::size_t series_max = 100'000;
  std::int64_t steps_max = 11'000;
};

// An entry behind the pipeline.
struct ResultEntry {
  std::int64_t time = 0;  // Unix nanoseconds.
  std::string line;
  EntryLabels labels;
};

struct ResultPoint {
  std::int64_t time_ms = 0;
  double value = 0;
};
struct ResultSeries {
  Labels labels;
  std::vector<ResultPoint> points;  // One for a vector.
};

enum class ResultType : unsigned char { kStreams, kScalar, kVector, kMatrix };

struct QueryResult {
  ResultType type = ResultType::kStreams;
  std::vector<ResultEntry> entries;  // kStreams, in the order of the query.
  double scalar = 0;                 // kScalar.
  std::vector<ResultSeries> series;  // By labels; of a vector with sort, in its order.
  std::int64_t time_ms = 0;          // The time of an instant query.
};

struct RangeQuery {
  std::int64_t start = 0;  // Unix nanoseconds. Entries: [start, end); steps: start .. end.
  std::int64_t end = 0;
  std::int64_t step = 0;      // Nanoseconds; for metrics.
  std::int64_t interval = 0;  // For entries: at least so far from the one before.
  std::size_t limit = 100;
  bool is_newest_first = true;
};

// Thread-safe: a query has its own state. Errors: INVALID_ARGUMENT, data, as of parse();
// FAILED_PRECONDITION, data, "bad_evaluation" in Loki's words; RESOURCE_EXHAUSTED, data, for the
// options; and the source's.
class Engine {
 public:
  explicit Engine(EngineOptions options = {}) : options_(options) {}

  // Metrics only, as in Loki.
  Result<QueryResult> instant(std::string_view query, std::int64_t time, EntrySource& source) const;
  Result<QueryResult> range(std::string_view query, const RangeQuery& range,
                            EntrySource& source) const;

 private:
  Result<QueryResult> entries(const Expr& expr, const RangeQuery& range, EntrySource& source) const;
  Result<QueryResult> metrics(const Expr& expr, const RangeQuery& range, bool is_instant,
                              EntrySource& source) const;

  const EngineOptions options_;
};

// Entries one by one behind the pipeline of a query of logs, for a tail. Belongs to one thread.
class EntryPipeline {
 public:
  ~EntryPipeline();
  EntryPipeline(EntryPipeline&&) noexcept;
  // INVALID_ARGUMENT for a query of metrics, and as of parse().
  static Result<EntryPipeline> create(std::string_view query);
  // Its matchers and its conditions on lines.
  EntrySelect select() const;
  // Nothing for an entry that the pipeline drops.
  std::optional<ResultEntry> run(Entry entry);

 private:
  struct State;
  explicit EntryPipeline(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace spanway::query::logql
