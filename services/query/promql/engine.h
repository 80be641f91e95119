// Evaluates PromQL over a source of series.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/promql/parser.h"
#include "services/query/promql/value.h"

namespace spanway::query::promql {

// Series that a selector wants: with points in [begin_ms, end_ms].
struct SourceSelect {
  std::vector<LabelMatcher> matchers;
  std::int64_t begin_ms = 0;
  std::int64_t end_ms = 0;
};

// Pulled by one thread; destroyed early, it ends the read.
class SourceStream {
 public:
  virtual ~SourceStream() = default;
  // The next series, complete, each label set once; nothing at the end. An error fails the query.
  virtual Result<std::optional<PointSeries>> next() = 0;
};

// Where series come from. Called on the thread that evaluates.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;
  virtual Result<std::unique_ptr<SourceStream>> select(const SourceSelect& query) = 0;
  // An error ends the query: it was cancelled, or its time is over. Called between the steps of an
  // evaluation; cheap.
  virtual Status check() { return {}; }
  // The points that the evaluation holds from now on, in all. An error ends the query: there is no
  // memory for them. Labels and histograms are the source's to count.
  virtual Status hold(std::size_t) { return {}; }
};

struct EngineOptions {
  ParseOptions parse = {};
  std::int64_t lookback_ms = 300'000;
  std::int64_t subquery_step_ms = 60'000;  // For a subquery without one.
  std::size_t samples_max = 50'000'000;    // Held at once.
  std::int64_t steps_max = 11'000;
  // Names go at the end of the query, not where an operation drops them.
  bool late_name_removal = false;
  // Counters start anew where their start time says so.
  bool start_times = false;
};

struct QueryResult {
  ValueType type = ValueType::kNone;
  double scalar = 0;         // kScalar.
  std::string text;          // kString.
  Vector vector;             // kVector, in the order of sort and topk.
  Matrix matrix;             // kMatrix, by labels.
  std::int64_t time_ms = 0;  // Time of an instant query.
  Annotations annotations;
};

// Thread-safe: a query has its own state. Errors: INVALID_ARGUMENT, data, as of parse();
// FAILED_PRECONDITION, data, "bad_evaluation" in Prometheus's words; RESOURCE_EXHAUSTED, data, for
// samples_max and steps_max; and the source's.
class Engine {
 public:
  explicit Engine(EngineOptions options) : options_(options) {}

  Result<QueryResult> instant(std::string_view query, std::int64_t time_ms,
                              SeriesSource& source) const;
  // Steps from start to end, both included.
  Result<QueryResult> range(std::string_view query, std::int64_t start_ms, std::int64_t end_ms,
                            std::int64_t step_ms, SeriesSource& source) const;

 private:
  const EngineOptions options_;
};

}  // namespace spanway::query::promql
