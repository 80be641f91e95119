// Results of the insight: edges between services and findings, by window of five minutes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Calls of one window, or of several, from one service to another.
struct EdgeRow {
  std::int64_t begin_unix_nano = 0;  // Begin of the window, or of the step.
  std::string parent;
  std::string child;
  std::string link;  // "call", "messaging", "db" or "link".
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  std::uint64_t duration_ns = 0;                    // Sum.
  std::map<std::int16_t, std::uint64_t> durations;  // As RedRow's.
  bool operator==(const EdgeRow&) const = default;
};

// A finding of one window. Kind and subject name it within the window.
struct FindingRow {
  std::int64_t begin_unix_nano = 0;  // Begin of the window.
  std::string kind;
  std::string subject;
  std::string service;
  std::string operation;
  int span_kind = 0;  // The number of otlp::SpanKind.
  std::string token;
  std::string symptom;
  double score = 0;
  double baseline = 0;
  double observed = 0;
  std::vector<std::pair<std::string, double>> numbers;
  std::vector<std::string> also;
  std::vector<TraceId> trace_ids;
  bool operator==(const FindingRow&) const = default;
};

// A window is computed twice: soon after its end, and once more when late spans have come.
enum class WindowVersion : std::uint8_t { kPreliminary = 1, kFinal = 2 };

struct WindowState {
  std::int64_t begin_unix_nano = 0;
  WindowVersion version = WindowVersion::kPreliminary;
  double part = 1;           // The part of its traces that was read.
  std::uint64_t traces = 0;  // Those that were read.
  bool operator==(const WindowState&) const = default;
};

// All that one computation of a window has given.
struct WindowResult {
  WindowState state;
  std::vector<EdgeRow> edges;
  std::vector<FindingRow> findings;
};

struct FindingQuery {
  TimeRange range = {};                 // Windows that begin in it.
  std::vector<std::string> kinds = {};  // Empty = all.
  std::string service = {};             // Empty = all.
};

// Thread-safe. Every call is for the context's tenant, and blocks as those of a TraceStore do, with
// the same errors. A result becomes visible with its state, which is written last: a window that a
// process has left half-written reads as it did before. Where several processes write the same
// version of a window, any of them stays; a later version replaces all of an earlier one.
class InsightStore {
 public:
  virtual ~InsightStore() = default;
  virtual Status write(const WindowResult& result, QueryContext& context) = 0;
  // The state of each window that begins in the range and was computed, by time.
  virtual Result<std::vector<WindowState>> windows(TimeRange range, QueryContext& context) = 0;
  // The edges of the windows that begin in the range, in sum for each step: by step, parent, child
  // and link. The range begins and ends with a step.
  virtual Result<std::vector<EdgeRow>> edges(TimeRange range, std::int64_t step_ns,
                                             QueryContext& context) = 0;
  // By time, kind and subject.
  virtual Result<std::vector<FindingRow>> findings(const FindingQuery& query,
                                                   QueryContext& context) = 0;
  // Results outlive the process, and other replicas see them.
  virtual bool is_durable() const noexcept = 0;
};

}  // namespace spanway::query
