// Which release of the operator works on a Pipeline: two that change the same objects undo each
// other's changes without end.
#pragma once

#include <string>

#include "operator/k8s/kube_client.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/mutation_cache.h"
#include "operator/reconcile/pipeline_state.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

// A release is named by its Lease, which its replicas share: "<namespace>/<name>". The first one to
// write the status of a Pipeline is in `status.operator`, and works on it. Another one writes its
// name into `status.contender`, and nothing else. The first removes it, and reports the other as
// Degraded, reason OtherOperator. One that does not within kAnswerTime is gone: the other takes its
// place. Nothing is written while there is one release; with two, each Pipeline gets two writes in
// kChallengeEach.
//
// Thread-safe for different Pipelines. What is given outlives it.
class OperatorClaim {
 public:
  struct Deps {
    std::string release;  // Empty = Pipelines are not claimed.
    kube::Client& client;
    const Applier& applier;
    MutationCache& mutations;
    const Events& events;
    const Clock& clock;
  };
  explicit OperatorClaim(Deps deps) : deps_(std::move(deps)) {}

  static constexpr Duration kAnswerTime = std::chrono::minutes(2);
  static constexpr Duration kChallengeEach = std::chrono::minutes(10);
  // How long another release is reported after its last challenge.
  static constexpr Duration kReportedFor = std::chrono::minutes(15);

  // Zero = this release works on the Pipeline; else when to call this again.
  Result<Duration> wait(const kube::ObjectKey& key, const Json& pipeline,
                        PipelineState& state) const;
  // The release that was refused lately; "" = none.
  std::string refused(const PipelineState& state) const;
  // When refused() changes because time passes; zero = never.
  Duration refused_for(const PipelineState& state) const;
  // Writes the claim into a status that is about to be stored.
  void claim(Json& status) const;

 private:
  Status challenge(const kube::ObjectKey& key, const Json& pipeline, const std::string& owner,
                   PipelineState& state) const;

  const Deps deps_;
};

}  // namespace spanway::reconcile
