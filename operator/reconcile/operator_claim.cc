#include "operator/reconcile/operator_claim.h"

namespace spanway::reconcile {
namespace {

constexpr char kOwner[] = "operator";
constexpr char kContender[] = "contender";

}  // namespace

Result<Duration> OperatorClaim::wait(const kube::ObjectKey& key, const Json& pipeline,
                                     PipelineState& state) const {
  if (deps_.release.empty()) return Duration::zero();
  const std::string owner = kube::string_at(status_of(pipeline), kOwner);
  const std::string contender = kube::string_at(status_of(pipeline), kContender);
  const SteadyTime now = deps_.clock.now();
  if (owner.empty() || owner == deps_.release) {
    state.claim.challenged_at.reset();
    if (!contender.empty() && contender != deps_.release) {
      state.claim.refused = contender;
      state.claim.refused_at = now;
    }
    return Duration::zero();
  }
  state.claim.refused.clear();
  if (!state.claim.challenged_at) {
    SPANWAY_TRY(challenge(key, pipeline, owner, state));
    return kAnswerTime;
  }
  const Duration waited = now - *state.claim.challenged_at;
  if (contender == deps_.release) {
    if (waited < kAnswerTime) return kAnswerTime - waited;
    deps_.events.announce(pipeline, false, "OperatorChanged", "Claim",
                          "the operator of the Lease " + owner + " does not answer: that of " +
                              deps_.release + " works on this Pipeline from now on");
    return Duration::zero();
  }
  if (waited < kChallengeEach) return kChallengeEach - waited;
  SPANWAY_TRY(challenge(key, pipeline, owner, state));
  return kAnswerTime;
}

Status OperatorClaim::challenge(const kube::ObjectKey& key, const Json& pipeline,
                                const std::string& owner, PipelineState& state) const {
  const bool is_first = !state.claim.challenged_at.has_value();
  const Json patch = {
      {"metadata", {{"resourceVersion", kube::string_at(pipeline, "metadata/resourceVersion")}}},
      {"status", {{kContender, deps_.release}}}};
  auto answer = deps_.client.merge_patch(kube::kPipelines, key, patch, "status");
  if (!answer.ok()) return std::move(answer).error();
  deps_.events.wrote("status", kube::kPipelines, key);
  deps_.mutations.wrote(key, kube::kPipelines, key,
                        project(kube::kPipelines, std::move(answer).value()),
                        deps_.applier.stored(kube::kPipelines, key));
  state.claim.challenged_at = deps_.clock.now();
  if (is_first)
    deps_.events.announce(pipeline, true, "OtherOperator", "Claim",
                          "the operator of the Lease " + owner +
                              " works on this Pipeline; that of " + deps_.release +
                              " does not: uninstall one of them, or give them different "
                              "watch_namespaces");
  return {};
}

std::string OperatorClaim::refused(const PipelineState& state) const {
  return refused_for(state) > Duration::zero() ? state.claim.refused : "";
}

Duration OperatorClaim::refused_for(const PipelineState& state) const {
  if (state.claim.refused.empty()) return Duration::zero();
  const Duration passed = deps_.clock.now() - state.claim.refused_at;
  return passed < kReportedFor ? kReportedFor - passed : Duration::zero();
}

void OperatorClaim::claim(Json& status) const {
  if (deps_.release.empty()) return;
  status[kOwner] = deps_.release;
  status.erase(kContender);
}

}  // namespace spanway::reconcile
