// The operator's state of one Pipeline between two reconciliations, a few kilobytes. Correctness
// does not depend on it: an operator that restarts reads the cluster and its status again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "operator/decide/compaction.h"
#include "operator/decide/rollout.h"
#include "operator/reconcile/consumer_scaler.h"
#include "operator/reconcile/foreign_autoscalers.h"
#include "operator/reconcile/last_good.h"
#include "operator/reconcile/refused_pods.h"
#include "operator/reconcile/rendering_cache.h"
#include "operator/reconcile/write_failures.h"

namespace spanway::reconcile {

// Failures of one Job in a row.
struct JobFailures {
  std::string job;  // Its name.
  int count = 0;
};

// External lock: one Pipeline is reconciled by one thread at a time.
struct PipelineState {
  ConsumerScaler scaler;
  RefusedPods refused;
  ForeignAutoscalers foreign_autoscalers;
  RenderingCache renderings;
  WriteFailures failures;
  SteadyTime
      namespace_ends_until{};  // The namespace is being deleted: nothing is tried until then.
  // The operator that recorded the last good spec, and the resourceVersion of the record.
  std::optional<RecordedVersion> recorded;
  std::string recorded_at;
  // The ConfigMap of the last good spec while another spec is desired or rolled out: only it says
  // what to go back to. Empty when the spec is the last good one: it can be recorded again.
  std::optional<Json> last_good_copy;
  std::string checked_spec;  // "uid/generation" of the last spec whose configurations load.
  // As written last. A different one in the stored status was written by another client.
  std::optional<decide::RolloutMemory> rollout;
  std::optional<SystemTime> observed_since;  // See Inputs.
  // Wall clock less steady clock, at the last reconciliation.
  std::optional<Duration> clock_offset;
  // When a pod became ready.
  struct ReadySince {
    SystemTime reported;  // By its node's clock.
    SystemTime by_our_clock;
  };
  std::map<std::string, ReadySince> ready_seen;  // By uid and restarts.
  std::set<std::string> ended_pods;              // Uids; each is recorded as an Event once.
  // The release of the operator that works on it (operator_claim.h).
  struct Claim {
    std::optional<SteadyTime> challenged_at;  // By this one, while another one works on it.
    std::string refused;                      // The other one, that has challenged this one.
    SteadyTime refused_at{};
  } claim;
  std::string topics_job;                               // Its name.
  int topics_failures = 0;                              // Failures of this Job in a row.
  std::map<std::string, JobFailures> migrate_failures;  // By exporter.
  decide::GoodRuns good_compactions;
  decide::RolloutDecision::Phase phase =
      decide::RolloutDecision::Phase::kInstalling;  // Logged last.
  std::string phase_reason;
};

// The status object of a Pipeline; an empty object when it has none.
const Json& status_of(const Json& pipeline);
// By spec.paused or by annotation: only its status may be written.
bool is_paused(const Json& pipeline);

}  // namespace spanway::reconcile
