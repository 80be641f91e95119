// How many consumers an exporter needs, from lag in seconds: pure, with its memory handed in.
//
// Up: when the lag is above the target and grows or does not shrink, by what would bring it down
// (ratio of lag to target, at most doubled at once). Down: one step after the lag has been below a
// third of the target for the stabilization time. Never more than partitions, preferring counts
// that divide them evenly; partitions that are stalled (their destination refuses) do not count:
// more consumers would not help. For two session timeouts after a change nothing is decided: the
// rebalance itself causes lag. Without fresh reports nothing changes; while one running consumer is
// silent the lag of the others still counts upwards, as what is unknown can only add to it. Pods
// that are Pending have no partitions: they are not waited for, and no more are added to them. A
// few hot partitions do not scale: a consumer that is too slow lags on all of its partitions. A
// count that was too few is not gone back to for 16 stabilization times: lag does not show by how
// much there are enough.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/decide/statusz_report.h"

namespace spanway::decide {

struct LagScalerMemory {
  std::int64_t changed_at_ms = 0;
  std::int64_t low_since_ms = 0;  // 0 = is not low.
  double last_lag_seconds = 0;
  std::int64_t last_lag_at_ms = 0;  // Time of that sample; the next counts after 10 s. 0 = none.
  std::int64_t too_few = 0;         // The count that was raised last.
  std::int64_t too_few_at_ms = 0;   // When; 0 = none.
  std::string
      limited_by;  // The reason while limited; it ends when the lag is below half the target.
};
struct LagScalerInput {
  api::LagAutoscaling rules;
  std::int64_t replicas = 1;    // Now.
  std::int64_t partitions = 0;  // All its topics together; 0 = unknown.
  std::vector<PartitionReport> lag;
  bool complete = false;     // All consumer pods that run have answered.
  std::int64_t pending = 0;  // Pods that do not run yet.
  // session.timeout.ms of the consumers: after a change nothing is decided for two of them.
  Duration session_timeout = std::chrono::seconds(20);
  std::int64_t now_ms = 0;
};
struct LagScalerDecision {
  std::int64_t replicas = 1;
  LagScalerMemory memory = {};
  bool limited = false;  // More would be desired than is allowed.
  // "AtMaxReplicas", "AtPartitionCount", "DestinationStalled", "HotPartition", "NoReports",
  // "PodsPending", "Settling", "ScaledUp", "ScaledDown", "Steady"
  std::string reason = {};
  std::string message = {};
};
LagScalerDecision scale_by_lag(const LagScalerInput& input, LagScalerMemory memory);

// Lag as a bucket: "<10s", "<1m", "<10m", "<1h", ">1h"; "" when unknown.
std::string lag_bucket(double seconds);
// Hysteresis: a bucket is left downwards only when so many times the lag is below its border, so
// that a lag near it does not alternate between two.
inline constexpr double kBucketLeaves = 1.25;

}  // namespace spanway::decide
