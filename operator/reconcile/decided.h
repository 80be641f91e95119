// The third stage of a reconciliation: what is to happen. Computed from its arguments alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/decide/desired_objects.h"
#include "operator/decide/lag_scaler.h"
#include "operator/decide/migrate_decision.h"
#include "operator/decide/rollout.h"
#include "operator/decide/topics_decision.h"
#include "operator/reconcile/observed.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/rendered.h"

namespace spanway::reconcile {

struct Decided {
  decide::RolloutDecision rollout;
  std::map<std::string, decide::LagScalerDecision> scaling;  // By exporter.
  decide::DesiredObjects objects;
  std::optional<render::Manifest> topics_job;  // The one of the rendering that is to run.
  decide::TopicsJobDecision topics;
  // The Jobs that are to run, each with the decision on it; none while an upgrade waits.
  std::vector<std::pair<render::MigrateJob, decide::MigrateJobDecision>> migrations;
  std::vector<decide::CompactionView> compactions;

  // A change is on its way: the pods' reports are polled more often.
  bool is_moving() const {
    return rollout.phase != decide::RolloutDecision::Phase::kComplete &&
           rollout.phase != decide::RolloutDecision::Phase::kRolledBack;
  }
};

// Updates the lag scaler's state and the count of failed topics Jobs in `state`.
Decided decide(const Inputs& inputs, const Observed& observed, const Rendered& rendered,
               PipelineState& state);

}  // namespace spanway::reconcile
