// The fourth stage of a reconciliation: makes the cluster hold what was decided. An object that is
// known to match and was not touched since is not even read.
#pragma once

#include <optional>
#include <vector>

#include "operator/reconcile/applier.h"
#include "operator/reconcile/decided.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/observed.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/rendered.h"

namespace spanway::reconcile {

struct Applied {
  Status written;            // The first failure; what was written before it stays.
  Duration requeue_after{};  // 0 = as decided.
};

// Thread-safe for different Pipelines. All that is given outlives it.
class ObjectWriter {
 public:
  struct Deps {
    Applier& applier;
    const Stores& stores;
    kube::Client& client;
    const Events& events;
  };
  explicit ObjectWriter(const Deps& deps) : deps_(deps) {}

  // Stores the desired spec as the last good one when that was decided; else adopts one that a
  // deleted Pipeline has left without an owner.
  Status record_last_good(const Inputs& inputs, const Decided& decided, Rendered& rendered,
                          const PipelineState& state) const;
  // Writes the ConfigMap of the last good spec again when it was deleted while it was needed.
  Status restore_last_good(const Json& pipeline, PipelineState& state) const;
  // Copies that ConfigMap into the state while it is needed, and drops the copy while nothing
  // changes.
  void copy_last_good(const Inputs& inputs, const Decided& decided, PipelineState& state) const;
  // `pipeline` is the Pipeline as stored now.
  Applied apply(const Json& pipeline, const Inputs& inputs, const Observed& observed,
                const Decided& decided, Rendered& rendered, PipelineState& state) const;

 private:
  Status adopt_last_good(const Inputs& inputs, const PipelineState& state) const;
  struct Pass;  // One call of apply().

  Status apply_all(Pass& pass, Applied& out) const;
  Status apply_support(Pass& pass) const;
  Status apply_topics_job(Pass& pass, Applied& out) const;
  Status apply_migrate_jobs(Pass& pass, Applied& out) const;
  Status apply_workloads(Pass& pass) const;
  Status apply_object(Pass& pass, const render::Manifest& digest) const;
  Result<bool> apply_manifest(const Json& pipeline, const render::Manifest& manifest) const;
  Status prune(const Pass& pass) const;

  const Deps deps_;
};

}  // namespace spanway::reconcile
