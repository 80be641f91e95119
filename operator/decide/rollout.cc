#include "operator/decide/rollout.h"

#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/rollout_state_machine.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {
namespace {

// Annotations may be much longer than a field of the status.
constexpr std::size_t kForceCheckBytesMax = 128;
// The clock of the API server writes whole seconds: never requeue sooner.
constexpr std::int64_t kRequeueMsMin = 1000;

std::string name_of(const render::Component& component) {
  return kube::string_at(component.workload.object, "metadata/name");
}

}  // namespace

RolloutStateMachine::RolloutStateMachine(const RolloutInput& input)
    : input_(input), desired_revision_(input.desired.revision), memory_(input.memory) {
  static const ComponentView kNothing;
  for (std::size_t i = 0; i < input.desired.components.size(); ++i) {
    Part part;
    part.desired = &input.desired.components[i];
    part.view = i < input.components.size() ? &input.components[i] : &kNothing;
    part.name = name_of(*part.desired);
    part.blocked =
        input.blocked.contains(part.desired->id) || input.migrating.contains(part.desired->id);
    if (input.last_good != nullptr) {
      for (const Component& component : input.last_good->components) {
        if (component.id == part.desired->id) part.last_good = &component;
      }
    }
    parts_.push_back(std::move(part));
  }
}

RolloutDecision RolloutStateMachine::run() {
  RolloutDecision out = decide_phase();
  // A pod that just does not become ready causes no watch event; the status must report it in time.
  for (const Part& part : parts_) {
    for (const PodView& pod : part.view->pods) {
      const std::int64_t at = grace_ends_ms(pod, input_.now_ms);
      if (at != 0) requeue_at(out, at);
    }
  }
  return out;
}

RolloutDecision RolloutStateMachine::decide_phase() {
  drop_stale_memory();
  if (!has_last_good()) return install();
  if (desired_revision_ == memory_.last_good_revision) return complete();
  if (memory_.failed_revision == desired_revision_) return stay_failed();
  return roll();
}

void RolloutStateMachine::drop_stale_memory() {
  // The status may be lost while the recorded spec is not.
  if (memory_.last_good_revision.empty() && input_.last_good != nullptr) {
    memory_.last_good_revision = input_.last_good->revision;
  }
  exact_ = input_.last_good != nullptr && input_.last_good->revision == memory_.last_good_revision;
  const bool other_secrets =
      !memory_.failed_secrets.empty() && memory_.failed_secrets != input_.secrets;
  if (input_.forced || other_secrets || memory_.failed_revision != desired_revision_)
    forget_failure();
  // A clock that was set back must not delay decisions.
  memory_.rolling_since_ms = std::min(memory_.rolling_since_ms, input_.now_ms);
  for (auto& [name, since] : memory_.available_since_ms) since = std::min(since, input_.now_ms);
}

void RolloutStateMachine::forget_failure() {
  memory_.failed_revision.clear();
  memory_.failed_reason.clear();
  memory_.failed_secrets.clear();
}

RolloutDecision RolloutStateMachine::decision(Phase phase, std::string reason,
                                              std::string message) const {
  RolloutDecision decision;
  decision.phase = phase;
  decision.memory = memory_;
  decision.reason = std::move(reason);
  decision.message = one_line(message, kRolloutMessageBytesMax);
  for (const Part& part : parts_)
    decision.actions.push_back({.id = part.desired->id, .stable = promoted_target(part)});
  return decision;
}

void RolloutStateMachine::requeue_at(RolloutDecision& decision, std::int64_t when_ms) const {
  const auto wait = std::chrono::milliseconds(std::max(kRequeueMsMin, when_ms - input_.now_ms));
  if (decision.requeue_after == Duration::zero() || decision.requeue_after > wait) {
    decision.requeue_after = wait;
  }
}

void RolloutStateMachine::requeue_at_proofs(RolloutDecision& decision) const {
  for (const Part& part : parts_) {
    if (memory_.available_since_ms.contains(part.name) && !proven(part))
      requeue_at(decision, proven_at_ms(part));
  }
}

bool consume_force_check(const std::string& annotation, RolloutMemory& memory) {
  if (annotation.empty()) return false;
  std::string value =
      annotation.size() <= kForceCheckBytesMax ? annotation : kube::fingerprint(Json(annotation));
  if (value == memory.force_check) return false;
  memory.force_check = std::move(value);
  return true;
}

RolloutDecision decide(const RolloutInput& input) { return RolloutStateMachine(input).run(); }

}  // namespace spanway::decide
