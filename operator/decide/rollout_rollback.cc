#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/rollout_state_machine.h"

namespace spanway::decide {

RolloutDecision RolloutStateMachine::fail(const Failure& failure) {
  memory_.failed_revision = desired_revision_;
  memory_.failed_reason =
      one_line(failure.reason + ": " + failure.message, kRolloutMessageBytesMax);
  memory_.failed_secrets = input_.secrets;
  memory_.rolling_revision.clear();
  memory_.rolling_component.clear();
  memory_.rolling_promoted = false;
  memory_.rolling_since_ms = 0;
  RolloutDecision out = stay_failed();
  out.just_failed = true;
  return out;
}

RolloutDecision RolloutStateMachine::stay_failed() {
  const std::size_t colon = memory_.failed_reason.find(": ");
  const std::string reason = memory_.failed_reason.substr(0, colon);
  const std::string message =
      colon == std::string::npos ? "" : memory_.failed_reason.substr(colon + 2);
  memory_.rolling_revision.clear();
  memory_.rolling_component.clear();
  memory_.rolling_promoted = false;
  memory_.rolling_since_ms = 0;
  memory_.available_since_ms.clear();
  const bool pause = input_.rules.on_failure == api::Rollout::OnFailure::kPause;
  RolloutDecision out =
      decision(pause ? Phase::kPausedFailure : Phase::kRolledBack, reason, message);
  out.record_is_lost = input_.last_good == nullptr;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!pause) {
      out.actions[i].stable = steady_target(part, true);
      continue;
    }
    const bool promoted = part.view->stable.revision == part.desired->revision;
    out.actions[i].stable = promoted ? Target::kDesired : steady_target(part, false);
    // Kept for debugging.
    out.actions[i].canary = part.view->canary.exists &&
                            part.view->canary.revision == part.desired->revision && !promoted;
  }
  return out;
}

Target RolloutStateMachine::steady_target(const Part& part, bool rolling_back) const {
  if (part.blocked) return blocked_target(part);
  const WorkloadView& stable = part.view->stable;
  const bool runs_desired = stable.exists && stable.revision == part.desired->revision;
  if (is_unchanged(part)) return Target::kDesired;
  if (!rolling_back && runs_desired && stable.settled) return Target::kDesired;
  // The recorded spec cannot be rendered: what runs is all there is, and where nothing runs nothing
  // can be lost.
  if (input_.last_good == nullptr)
    return runs_desired || !stable.exists ? Target::kDesired : Target::kKeep;
  if (part.last_good == nullptr) {
    return rolling_back || !stable.exists ? Target::kLastGood : Target::kKeep;
  }
  if (!stable.exists) return Target::kLastGood;
  if (exact_) {
    // Half of an earlier rollout that is healthy can stay until its turn comes.
    const bool foreign = stable.revision != part.last_good->revision;
    return foreign && stable.settled && !rolling_back ? Target::kKeep : Target::kLastGood;
  }
  // Never give it something new on the way back.
  if (runs_desired && part.last_good->revision != part.desired->revision && rolling_back) {
    return Target::kLastGood;
  }
  return runs_desired ? Target::kDesired : Target::kKeep;
}

std::optional<Failure> RolloutStateMachine::broken(std::size_t step) const {
  for (std::size_t i = 0; i < parts_.size() && i <= step; ++i) {
    if (!counts(parts_[i])) continue;
    const bool canary_stage = i == step && !memory_.rolling_promoted;
    if (canary_stage && memory_.rolling_since_ms == 0) continue;
    if (auto failure = broken(parts_[i], canary_stage)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> RolloutStateMachine::broken(const Part& part, bool canary_only) const {
  for (const PodView& pod : part.view->pods) {
    if (pod.deleting || pod.revision != part.desired->revision) continue;
    if (canary_only && !pod.canary) continue;
    const bool crashing = is_crashing(pod, input_.now_ms, input_.rules.progress_deadline);
    if (!crashing && !is_unmakable(pod.reason)) continue;
    std::string what = pod.problem;
    if (what.empty()) {
      what = "pod " + pod.name + ": " + std::to_string(pod.restarts) + " restarts" +
             (pod.last_restart_reason.empty() ? "" : ", the last one: " + pod.last_restart_reason);
    }
    return Failure{std::string(crashing ? crash_reason(pod) : std::string_view(pod.reason)),
                   part.name + ": " + what};
  }
  return std::nullopt;
}

const PodView* RolloutStateMachine::troubled_pod(const Part& part) const {
  const PodView* found = nullptr;
  for (const PodView& pod : part.view->pods) {
    if (pod.deleting || pod.ready || pod.revision != part.desired->revision) continue;
    if (found == nullptr || (found->problem.empty() && !pod.problem.empty())) found = &pod;
  }
  return found;
}

// Prefers the pod's own reason to ours.
Failure RolloutStateMachine::deadline_failure(const Part& part, const char* fallback) const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(input_.rules.progress_deadline).count();
  const std::string waited = ", after " + std::to_string(seconds) + " s";
  if (part.view->stable.paused && std::string_view(fallback) != "CanaryNotReady") {
    return {"DeploymentPaused",
            part.name + ": spec.paused of the Deployment is set (kubectl rollout pause); " +
                "run kubectl rollout resume" + waited};
  }
  const PodView* pod = troubled_pod(part);
  if (pod == nullptr) {
    const std::string what = std::to_string(part.view->stable.updated) + " of " +
                             std::to_string(part.view->stable.replicas) + " pods are up to date, " +
                             std::to_string(part.view->stable.ready) + " ready";
    const bool canary = std::string_view(fallback) == "CanaryNotReady";
    const WorkloadView& workload = canary ? part.view->canary : part.view->stable;
    if (!workload.problem.empty()) {
      return {"PodsRefused", part.name + ": " + workload.problem + waited};
    }
    return {fallback, part.name + ": " + (canary ? "no canary stays ready" : what) + waited};
  }
  const bool plain = has_generic_reason(*pod) || pod->reason == "Restarted";
  const std::string what =
      pod->problem.empty() ? "pod " + pod->name + " is not ready" : pod->problem;
  return {plain ? fallback : pod->reason, part.name + ": " + what + waited};
}

Failure RolloutStateMachine::deadline_failure_with_pod_report(const Part& part,
                                                              const char* fallback) const {
  Failure failure = deadline_failure(part, fallback);
  const PodView* pod = troubled_pod(part);
  if (pod == nullptr || !has_generic_reason(*pod)) return failure;
  if (const StatuszReport* report = report_of(*pod); report != nullptr && !report->reason.empty()) {
    failure.message += ": " + report->reason;
  }
  return failure;
}

bool RolloutStateMachine::has_generic_reason(const PodView& pod) {
  return pod.reason.empty() || pod.reason == "NotReady" || pod.reason == "ContainerCreating";
}

std::string RolloutStateMachine::waiting_for(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (const PodView* pod = troubled_pod(part); pod != nullptr && !pod->problem.empty()) {
    return part.name + ": " + pod->problem;
  }
  if (!stable.exists) return part.name + ": is being created";
  if (!stable.problem.empty()) return part.name + ": " + stable.problem;
  if (stable.revision != part.desired->revision) {
    return part.name + ": runs revision " + stable.revision + " still";
  }
  return part.name + ": " + std::to_string(stable.updated) + " of " +
         std::to_string(stable.replicas) + " pods are up to date, " + std::to_string(stable.ready) +
         " ready";
}

}  // namespace spanway::decide
