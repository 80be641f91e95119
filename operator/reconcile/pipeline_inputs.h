// The first stage of a reconciliation: the Pipeline, what is wrong with it, and everything else
// that its objects are rendered from.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "operator/decide/rollout.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/last_good.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/secrets_poller.h"
#include "operator/reconcile/topic_claims.h"
#include "operator/reconcile/upgrade_pacer.h"
#include "operator/render/render.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

struct Inputs {
  kube::ObjectKey key;
  Json object;                // The Pipeline as stored.
  Json status;                // Its status as stored.
  Json effective;             // The reconciled object: the Pipeline, or its last good spec.
  api::Pipeline pipeline;     // Read from `effective`.
  config::Problems problems;  // Mistakes of the spec; not empty = the last good one is reconciled.
  config::Problems secret_problems;
  // Secrets that are missing or may not be read, without keys; of others the keys they lack.
  render::SecretKeys missing_secrets;
  std::set<render::ComponentId> blocked;  // Components that use one of them.
  TopicClaims::Sharing sharing;
  render::ClusterFacts facts;
  std::string last_good_version;  // resourceVersion of its ConfigMap; "" = it does not exist.
  // Read when the inputs have changed, or when it is reconciled in place of the Pipeline.
  std::optional<LastGood> last_good;
  std::string upgrade;  // Why the operator's new version is not rolled out; empty = it is.
  bool is_spec_recorded = false;  // The spec is the last good one; only while an upgrade waits.
  // Equal fingerprints render equal objects.
  std::string fingerprint;
  decide::RolloutMemory memory;  // As it was written last.
  bool paused = false;
  bool falls_back = false;  // `effective` is the last good spec.
  SystemTime wall_now{};
  // Since when every reconciliation has ended with its status written.
  SystemTime observed_since{};

  // A refused spec without a last good one, or a paused Pipeline that was never installed: only its
  // status is written.
  bool nothing_to_observe() const {
    return (!problems.empty() && !falls_back) || (paused && !status.contains("conditions"));
  }
  const char* refusal_reason() const { return sharing.taken_by ? "TopicsTaken" : "ConfigInvalid"; }
};

// Thread-safe for different Pipelines. All that is given outlives it.
class InputReader {
 public:
  struct Deps {
    const Applier& applier;
    SecretsPoller& secrets;
    TopicClaims& claims;
    UpgradePacer& pacer;
    std::function<void(const kube::ObjectKey& pipeline)> enqueue;
  };
  // `facts`: all but the Secrets' identities.
  InputReader(Deps deps, const render::ClusterFacts& facts)
      : deps_(std::move(deps)), facts_(facts) {}

  // An error means that the API server did not answer.
  Result<Inputs> read(const kube::ObjectKey& key, Json object, SystemTime wall_now,
                      PipelineState& state) const;

 private:
  Status check(Inputs& inputs, PipelineState& state) const;
  void check_topics(Inputs& inputs) const;
  Status check_secrets(Inputs& inputs) const;
  void keep_identities(Inputs& inputs) const;
  void check_configs(Inputs& inputs, PipelineState& state) const;
  void choose_version(Inputs& inputs, PipelineState& state) const;
  void fall_back(Inputs& inputs) const;
  void read_last_good_once(Inputs& inputs) const;

  const Deps deps_;
  const render::ClusterFacts& facts_;
};

}  // namespace spanway::reconcile
