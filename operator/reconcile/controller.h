// Reconciles one Pipeline. Never blocks; returns a requeue delay when only the passage of time can
// change the result. Four stages, each a function of the results of those before it:
//
//   Inputs    (pipeline_inputs.h)  the Pipeline, its mistakes, Secrets, topics, last good spec
//   Observed  (observed.h)         workloads, pods and what they report
//   Decided   (decided.h)          the rollout's step, replicas, desired objects, the topics Job
//   Applied   (object_writer.h)    the objects that differ, written
//
// The status is written between the third and the fourth: what is about to happen is reported
// before it happens. A refused spec is not rolled out; its last good one is reconciled in its
// place. Of a paused Pipeline only the status is written.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "operator/k8s/kube_client.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/decided.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/mutation_cache.h"
#include "operator/reconcile/object_writer.h"
#include "operator/reconcile/observed.h"
#include "operator/reconcile/operator_claim.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/secrets_poller.h"
#include "operator/reconcile/status_writer.h"
#include "operator/reconcile/statusz_monitor.h"
#include "operator/reconcile/stores.h"
#include "operator/reconcile/topic_claims.h"
#include "operator/reconcile/upgrade_pacer.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

// All outlive the controller.
struct ControllerDeps {
  kube::Client& client;
  const Stores& stores;
  SecretsPoller& secrets;
  StatuszMonitor& monitor;
  const Events& events;
  const Clock& clock;
  // Reconciles another Pipeline soon, because of this one. May be called from any thread.
  std::function<void(const kube::ObjectKey& pipeline)> enqueue = [](const kube::ObjectKey&) {};
  UpgradeRules upgrades = {};
  // Names this release of the operator: its Lease. Empty = Pipelines are not claimed.
  std::string release = {};
};

// Thread-safe for different Pipelines; one Pipeline is given to one thread at a time (WorkQueue).
class Controller {
 public:
  // `facts`: all but the Secrets' identities.
  Controller(const ControllerDeps& deps, render::ClusterFacts facts);

  // The requeue delay; zero = none. An error means: requeue with back-off; what was written before
  // it is right and stays.
  Result<Duration> reconcile(const kube::ObjectKey& key);
  // Pipelines of which state is kept.
  std::size_t pipelines() const;
  // Full renderings so far: a reconciliation with unchanged inputs adds none.
  std::size_t renderings() const noexcept { return renderings_; }

 private:
  Result<Duration> reconcile(const kube::ObjectKey& key, Json object, PipelineState& state);
  std::shared_ptr<PipelineState> state_of(const kube::ObjectKey& key);
  void forget(const kube::ObjectKey& key);
  Result<Duration> reconcile_stages(Inputs& inputs, PipelineState& state);
  // For a Pipeline that was never installed and is paused or refused.
  Result<Duration> report_only(const Inputs& inputs, PipelineState& state);
  void log_phase(const Inputs& inputs, const Decided& decided, PipelineState& state) const;

  const ControllerDeps deps_;
  const render::ClusterFacts facts_;
  TopicClaims claims_;
  UpgradePacer pacer_;
  MutationCache mutations_;
  Applier applier_;
  const OperatorClaim claim_;
  const InputReader input_reader_;
  const Observer observer_;
  const ObjectWriter object_writer_;
  const StatusWriter status_writer_;
  std::atomic<std::size_t> renderings_{0};
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, std::shared_ptr<PipelineState>> states_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
