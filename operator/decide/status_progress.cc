#include <algorithm>

#include "operator/decide/status_builder.h"

namespace spanway::decide {
namespace {

constexpr char kReplacingPods[] = "ReplacingPods";

}  // namespace

Condition StatusBuilder::progressing() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "running workloads are kept");
  if (invalid())
    return no(input_.config_reason,
              "the spec is rejected; the last good one is reconciled in its place");
  switch (rollout.phase) {
    case Phase::kInstalling:
      if (install_fails()) return no(rollout.reason, rollout.message);
      return yes("Installing", rollout.message);
    case Phase::kRolling:
      return yes(rollout.reason, rollout.message);
    case Phase::kProving:
      return yes("Proving", rollout.message);
    case Phase::kComplete:
      return no("Complete", rollout.message);
    case Phase::kPausedFailure:
      return no("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      break;
  }
  for (const ComponentView& view : input_.components) {
    if (view.stable.exists && !view.stable.settled) {
      return yes("RollingBack", name_of(view) + ": is rolled back to the last good revision");
    }
  }
  return no("RolledBack",
            rollout.record_is_lost ? "what runs is left as it is" : "the last good revision runs");
}

const ComponentView* StatusBuilder::first_scaling() const {
  if (input_.desired == nullptr) return nullptr;
  const Json* ready = conditions_.stored("Ready");
  const Json* stored_reconciling = conditions_.stored("Reconciling");
  const bool has_arrived = conditions_.stored_status("Reconciling") == ConditionStatus::kFalse ||
                           (stored_reconciling != nullptr &&
                            kube::string_at(*stored_reconciling, "reason") == kReplacingPods);
  const bool was_there = ready != nullptr && has_arrived &&
                         kube::int_at(*ready, "observedGeneration") >= input_.pipeline.generation;
  if (was_there) return nullptr;
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const render::Component& desired = input_.desired->components.at(i);
    const ComponentView& view = input_.components[i];
    if (desired.replicas_elsewhere || !view.stable.exists) continue;
    if (view.stable.replicas != desired.replicas || !view.stable.settled) return &view;
  }
  return nullptr;
}

// Another client has changed its template, and it was put back. Pods that restart or are deleted
// have no older template.
const ComponentView* StatusBuilder::first_replaced() const {
  if (input_.desired == nullptr) return nullptr;
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    std::int64_t outdated = view.stable.outdated;
    if (input_.desired->components.at(i).stateful)
      outdated -= std::count_if(view.pods.begin(), view.pods.end(),
                                [](const PodView& pod) { return pod.deleting && !pod.canary; });
    if (view.stable.exists && outdated > 0) return &view;
  }
  return nullptr;
}

// kstatus: a change is being rolled out.
Condition StatusBuilder::reconciling() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "reconciliation is paused");
  if (invalid()) return no(input_.config_reason, "the spec is rejected");
  const bool waits = rollout.reason == "SecretMissing" || rollout.reason == "MigratePending";
  if (rollout.reason == "MigrateFailed") return no(rollout.reason, rollout.message);
  switch (rollout.phase) {
    case Phase::kInstalling:
      if (install_fails() && !waits) return no(rollout.reason, rollout.message);
      return yes(rollout.reason, rollout.message);
    case Phase::kRolling:
    case Phase::kProving:
      return yes(rollout.reason, rollout.message);
    case Phase::kComplete:
      if (const ComponentView* view = first_scaling(); view != nullptr)
        return yes("Scaling", name_of(*view) + ": its number of pods does not match the spec yet");
      if (const ComponentView* view = first_replaced(); view != nullptr)
        return yes(kReplacingPods, name_of(*view) + ": pods of an older template are replaced");
      return no("Complete", rollout.message);
    case Phase::kPausedFailure:
      return no("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      break;
  }
  return progressing();
}

// kstatus: this generation fails unless it is changed.
Condition StatusBuilder::stalled() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "reconciliation is paused");
  if (invalid()) return yes(input_.config_reason, config_valid().message);
  if (reconciling().status == ConditionStatus::kTrue)
    return no("Reconciling", "a change is being rolled out");
  if (rollout.reason == "MigrateFailed") return yes(rollout.reason, rollout.message);
  switch (rollout.phase) {
    case Phase::kInstalling:
      return yes(rollout.reason, rollout.message);
    case Phase::kPausedFailure:
      return yes("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      return yes("RolledBack", rolled_back().message);
    case Phase::kRolling:
    case Phase::kProving:
    case Phase::kComplete:
      break;
  }
  return no("NotStalled", "nothing blocks this generation");
}

// Ready is about what runs: a change that is not through is not ready at its generation.
std::int64_t StatusBuilder::ready_generation() const {
  const std::int64_t generation = input_.pipeline.generation;
  const Json* stored = conditions_.stored("Ready");
  const bool is_through = input_.rollout->phase == Phase::kComplete && !invalid() &&
                          !input_.paused && first_scaling() == nullptr;
  if (stored == nullptr || is_through) return generation;
  return std::min(generation, kube::int_at(*stored, "observedGeneration", generation));
}

// The version of most pods. While a change is rolled out that is the last good one.
std::string StatusBuilder::running_version() const {
  const Phase phase = input_.rollout->phase;
  const bool desired_runs =
      phase == Phase::kComplete || phase == Phase::kProving || phase == Phase::kInstalling;
  if (desired_runs && !input_.paused) return input_.operator_version;
  return input_.last_good_version.empty()
             ? kube::string_at(before_, "version", input_.operator_version)
             : input_.last_good_version;
}

Condition StatusBuilder::rolled_back() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (install_fails()) {
    return no("NothingToGoBackTo", (rollout.memory.last_good_revision.empty()
                                        ? "no revision has been healthy yet: "
                                        : "no revision of this component has been healthy yet: ") +
                                       rollout.message);
  }
  if (rollout.phase != Phase::kRolledBack) return no("NotRolledBack", "nothing was rolled back");
  const std::string back = rollout.record_is_lost
                               ? " failed, and " + rollout.memory.last_good_revision +
                                     " cannot come back: its spec in the ConfigMap " +
                                     input_.pipeline.name +
                                     "-last-good is gone. What runs is left as it is: "
                               : " failed, " + rollout.memory.last_good_revision + " is back: ";
  return yes(rollout.reason.empty() ? "RolloutFailed" : rollout.reason,
             "revision " + rollout.memory.failed_revision + back + rollout.message);
}

}  // namespace spanway::decide
