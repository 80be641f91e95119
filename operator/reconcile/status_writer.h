// Writes a Pipeline's status and records its Events.
#pragma once

#include "operator/decide/status.h"
#include "operator/reconcile/decided.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/mutation_cache.h"
#include "operator/reconcile/observed.h"
#include "operator/reconcile/operator_claim.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/rendered.h"

namespace spanway::reconcile {

// Thread-safe for different Pipelines. All that is given outlives it.
class StatusWriter {
 public:
  struct Deps {
    const Applier& applier;
    MutationCache& mutations;
    kube::Client& client;
    const Events& events;
    const OperatorClaim& claim;
    const render::ClusterFacts& facts;
  };
  explicit StatusWriter(const Deps& deps) : deps_(deps) {}

  // The stages that have run; null = not.
  struct Stages {
    const Inputs& inputs;
    const Rendered* rendered = nullptr;
    const Observed* observed = nullptr;
    const Decided* decided = nullptr;
  };
  // Patches the status of `pipeline`, the Pipeline as stored, when it differs; `pipeline` is then
  // the server's answer. Records an Event for each condition that has changed.
  Status write(const Stages& stages, Json& pipeline, PipelineState& state) const;
  // When write() would write something else although nothing has changed; 0 = never.
  Duration requeue_after(const Stages& stages, const Json& pipeline,
                         const PipelineState& state) const;

  void record_rollout_events(const Stages& stages, const Json& pipeline) const;
  // A pod in a terminal phase is no part of what runs; the reason of its end is an Event, once.
  void record_ended_pods(const Stages& stages, PipelineState& state) const;

 private:
  decide::StatusInput input_of(const Stages& stages, const PipelineState& state) const;
  void record_condition_events(const Json& pipeline, const Json& before, const Json& after) const;
  // One when a destination becomes degraded, and one when it has recovered.
  void record_degraded_events(const Json& pipeline, const Json& before, const Json& after) const;

  const Deps deps_;
};

}  // namespace spanway::reconcile
