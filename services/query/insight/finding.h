// One result of the insight, with its evidence.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/query/insight/sampled_trace.h"

namespace spanway::query::insight {

enum class FindingKind : unsigned char {
  kLatencyRegression,
  kErrorRate,
  kCallRate,
  kNPlusOne,
  kCriticalPath,
  kRelation,
};
// "latency_regression", "error_rate", "call_rate", "n_plus_one", "critical_path", "relation".
std::string_view to_string(FindingKind kind) noexcept;

struct Finding {
  static constexpr std::size_t kTraceIdsMax = 5;

  FindingKind kind = FindingKind::kLatencyRegression;
  OperationKey operation;
  // The repeated call, the operation on the path, the attribute as "key=value"; "" for the others.
  std::string token = {};
  // "slow" or "failed" of a relation, "more" or "fewer" of a call rate.
  std::string_view symptom = {};
  TimeRange window = {};
  double score = 0;     // Larger is more certain; comparable within one kind.
  double baseline = 0;  // The expected figure, and the one that was seen, in the kind's unit.
  double observed = 0;
  std::vector<std::pair<std::string_view, double>> numbers = {};  // Names are literals.
  std::vector<std::string> also = {};  // Tokens that occur in exactly the same traces.
  std::vector<TraceId> trace_ids = {};

  // Names the finding among those of its kind and window: "shop GET /cart slow: region=eu". At most
  // 300 bytes.
  std::string subject() const;
};

}  // namespace spanway::query::insight
