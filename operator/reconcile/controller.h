// One look at one Pipeline: read it, check it, render it, see what runs, decide, write what
// differs. In place of a spec that is refused the last good one is reconciled; a component whose
// Secret is missing stays as it is; a paused Pipeline is observed and nothing but its status is
// written. Never waits for anything: when time alone matters, it says when to look again.
//
// Of each Pipeline it keeps, in a few kilobytes, an outline of what was rendered last and which
// live objects were found to hold it. While neither the Pipeline nor anything else that rendering
// depends on changes, only objects that were touched are rendered and compared again.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/k8s/client.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/consumer_scaler.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/last_good.h"
#include "operator/decide/rollout.h"
#include "operator/reconcile/secrets_poller.h"
#include "operator/decide/status.h"
#include "operator/reconcile/statusz_monitor.h"
#include "operator/reconcile/stores.h"
#include "operator/reconcile/topic_claims.h"
#include "operator/decide/topics_job.h"
#include "operator/reconcile/mutation_cache.h"
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
};

// Thread-safe for different Pipelines; one Pipeline is given to one thread at a time (WorkQueue).
class Controller {
 public:
  // `facts`: all but the Secrets' identities.
  Controller(const ControllerDeps& deps, render::ClusterFacts facts);
  ~Controller();

  // When to look again although nothing has changed; zero = never. An error means: again, with
  // back-off; what was written so far is right and stays.
  Result<Duration> reconcile(const kube::ObjectKey& key);
  std::size_t remembered() const;
  // Pipelines rendered so far: looks at what rests add none.
  std::size_t renderings() const noexcept { return renderings_; }

 private:
  struct Memory;  // Of a Pipeline, between two looks.
  struct Look;    // What one look has found out so far.
  struct Held;
  struct Whole;

  std::shared_ptr<Memory> memory_of(const kube::ObjectKey& key);
  void forget(const kube::ObjectKey& key);

  // Nothing can be observed: never installed, and now paused or refused.
  Result<Duration> reconcile_nothing(Look& look);
  Result<Duration> observe_paused(Look& look);
  Status check(Look& look);
  Status check_secrets(Look& look);
  void read_last_good_once(Look& look);
  bool fall_back(Look& look);
  void check_once(Look& look);
  void check_topics(Look& look);
  void choose_version(Look& look);
  void hold_back(Look& look) const;
  void render(Look& look);
  void outline(Look& look);
  Status render_whole(Look& look);
  Result<const render::Manifest*> whole(Look& look, const render::Manifest& outline);
  void see(Look& look);
  void see_refusals(Look& look);
  void see_autoscalers(Look& look);
  void see_contention(Look& look);
  void see_topics(Look& look);
  Status write(Look& look);
  Status apply_shared(Look& look);
  Status apply_workloads(Look& look);
  Status apply_topics(Look& look);
  Status prune(Look& look);
  Status apply(Look& look, const render::Manifest& outline);
  Result<bool> apply_whole(Look& look, const render::Manifest& manifest);
  static std::int64_t refused_for_ms(const Look& look);
  static std::string note_outcome(Look& look, const Status& written);
  StatusInput status_input(const Look& look) const;
  Status write_status(Look& look);
  void tell(const Look& look, const Json& before, const Json& after) const;
  void tell_rollout(const Look& look) const;
  void tell_ended_pods(const Look& look) const;

  const ControllerDeps deps_;
  const render::ClusterFacts facts_;
  TopicClaims claims_;
  UpgradePacer pacer_;
  UnseenWrites unseen_;
  Applier applier_;
  std::atomic<std::size_t> renderings_{0};
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, std::shared_ptr<Memory>> memories_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
