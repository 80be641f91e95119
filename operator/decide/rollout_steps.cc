#include <algorithm>

#include "operator/decide/rollout_state_machine.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {
namespace {

// Most waits end with a watch event; this is for those that do not.
constexpr std::int64_t kKafkaRecheckMs = 60'000;
constexpr char kKafkaUnreachable[] =
    "waiting: no pod can reach Kafka, including pods of the current revision";

}  // namespace

void RolloutStateMachine::start_rolling() {
  memory_.rolling_revision = desired_revision_;
  start_step(first_step_from(0));
}

void RolloutStateMachine::start_step(std::size_t index) {
  memory_.rolling_promoted = false;
  if (index >= parts_.size()) {
    memory_.rolling_component.clear();
    memory_.rolling_since_ms = input_.now_ms;
    return;
  }
  const Part& part = parts_[index];
  memory_.rolling_component = part.name;
  memory_.rolling_promoted = !needs_canary(part);
  // A canary of an earlier attempt, with its old restarts, proves nothing: it has to go first.
  memory_.rolling_since_ms = !memory_.rolling_promoted && has_canary(part) ? 0 : input_.now_ms;
}

// The next component whose stable workload is to change; parts_.size() when there is none.
std::size_t RolloutStateMachine::first_step_from(std::size_t index) const {
  while (index < parts_.size()) {
    const Part& part = parts_[index];
    const bool runs_already =
        part.view->stable.exists && part.view->stable.revision == part.desired->revision;
    if (!part.blocked && !is_unchanged(part) && !runs_already) break;
    ++index;
  }
  return index;
}

// The desired revision of this component is the recorded one.
bool RolloutStateMachine::is_unchanged(const Part& part) const {
  return exact_ && part.last_good != nullptr && part.last_good->revision == part.desired->revision;
}

bool RolloutStateMachine::needs_canary(const Part& part) const {
  if (input_.rules.strategy == api::Rollout::Strategy::kRollingUpdate) return false;
  // New in this pipeline: nothing runs that could suffer.
  if (input_.last_good != nullptr && part.last_good == nullptr) return false;
  if (!part.view->stable.exists || unproven(part)) return false;
  // Paused: a canary would consume as well.
  return part.desired->replicas > 0 || part.desired->replicas_elsewhere;
}

const PodView* RolloutStateMachine::canary_pod(const Part& part) const {
  const PodView* newest = nullptr;
  for (const PodView& pod : part.view->pods) {
    if (!pod.canary || pod.deleting || pod.revision != part.desired->revision) continue;
    if (newest == nullptr || pod.created > newest->created) newest = &pod;
  }
  return newest;
}

bool RolloutStateMachine::has_canary(const Part& part) const {
  return part.view->canary.exists || canary_pod(part) != nullptr;
}

RolloutDecision RolloutStateMachine::roll() {
  if (memory_.rolling_revision != desired_revision_) start_rolling();
  if (input_.refused_for_ms > 0 && input_.refused_for_ms >= to_ms(input_.rules.progress_deadline))
    return fail({"ApplyRefused", input_.refusal});
  if (!memory_.rolling_component.empty()) {
    memory_.available_since_ms.clear();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].name != memory_.rolling_component) continue;
      // Components that have had their step still count.
      if (const auto failure = broken(i)) return fail(*failure);
      return memory_.rolling_promoted ? decide_stable_step(i) : decide_canary_step(i);
    }
    // A name that is not ours: what was remembered is of no use.
    start_rolling();
    return roll();
  }
  // One whose Secret was missing when its turn came has it now.
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!counts(part) || part.last_good == nullptr || !part.view->stable.exists) continue;
    if (part.last_good->revision == part.desired->revision ||
        part.view->stable.revision != part.last_good->revision)
      continue;
    start_step(i);
    return roll();
  }
  count_availability();
  if (const auto failure = broken(parts_.size())) return fail(*failure);
  const Part* waiting = first_unavailable();
  if (waiting == nullptr) return prove();
  // A pod that takes the place of another, or comes with more replicas, has its own time.
  const std::int64_t deadline = deadline_from(last_progress_ms(*waiting, false));
  const bool excused = waits_for_kafka(*waiting);
  if (!excused && input_.now_ms >= deadline)
    return fail(deadline_failure_with_pod_report(*waiting, "ProgressDeadlineExceeded"));
  RolloutDecision out = decision(Phase::kProving, "Proving", waiting_for(*waiting));
  out.remove_others = true;
  requeue_at(out, excused ? input_.now_ms + kKafkaRecheckMs : deadline);
  return out;
}

RolloutDecision RolloutStateMachine::decide_canary_step(std::size_t index) {
  const Part& part = parts_[index];
  const auto rolling = [&](bool canary, const char* reason, std::string message) {
    RolloutDecision out = decision(Phase::kRolling, reason, part.name + ": " + message);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      // Those before have had their step, or needed none.
      out.actions[i].stable =
          i < index ? promoted_target(parts_[i]) : steady_target(parts_[i], false);
    }
    out.actions[index].canary = canary;
    return out;
  };
  if (memory_.rolling_since_ms == 0) {
    if (has_canary(part)) return rolling(false, "CanaryStarting", "an old canary is being deleted");
    memory_.rolling_since_ms = input_.now_ms;
  }
  const bool runs_it =
      part.view->stable.exists && part.view->stable.revision == part.desired->revision;
  if (runs_it || !needs_canary(part)) {
    // It was promoted, and the note of it got lost; or it was paused meanwhile, and its canary too.
    memory_.rolling_promoted = true;
    memory_.rolling_since_ms = input_.now_ms;
    return decide_stable_step(index);
  }
  const PodView* pod = canary_pod(part);
  // Deleted by hand, or the API server refuses it: when there is one it has half of its time at
  // least. The time is not written at each reconciliation.
  const bool is_made = pod != nullptr || part.view->canary.exists;
  const std::int64_t deadline_ms = to_ms(input_.rules.progress_deadline);
  if (!is_made && input_.now_ms - memory_.rolling_since_ms >= deadline_ms / 2) {
    memory_.rolling_since_ms = input_.now_ms;
  }
  const std::int64_t deadline = deadline_from(memory_.rolling_since_ms);
  const std::int64_t proof = to_ms(input_.rules.healthy_after);
  if (pod != nullptr && pod->ready && pod->ready_since) {
    const std::int64_t good_at = unix_ms(*pod->ready_since) + proof;
    const std::string words = regression_of_canary(part, *pod, input_.now_ms < deadline);
    if (input_.now_ms >= good_at && words.empty()) {
      memory_.rolling_promoted = true;
      memory_.rolling_since_ms = input_.now_ms;
      return decide_stable_step(index);
    }
    // Ready only now and then is not healthy either.
    if (input_.now_ms >= deadline + proof) {
      return fail(words.empty() ? deadline_failure_with_pod_report(part, "CanaryNotReady")
                                : Failure{"CanaryUnhealthy", part.name + ": " + words});
    }
    RolloutDecision out = rolling(true, "CanaryProving",
                                  words.empty() ? "the canary " + pod->name + " is ready" : words);
    requeue_at(out,
               good_at > input_.now_ms ? std::min(good_at, deadline + proof) : deadline + proof);
    return out;
  }
  if (input_.now_ms >= deadline && waits_for_kafka(part)) {
    memory_.rolling_since_ms = input_.now_ms;
    RolloutDecision out = rolling(true, "KafkaUnreachable", kKafkaUnreachable);
    requeue_at(out, input_.now_ms + deadline_ms);
    return out;
  }
  if (input_.now_ms >= deadline)
    return fail(deadline_failure_with_pod_report(part, "CanaryNotReady"));
  RolloutDecision out = rolling(
      true, "CanaryStarting",
      pod == nullptr
          ? (part.view->canary.problem.empty() ? "starting a canary" : part.view->canary.problem)
          : (pod->problem.empty() ? "the canary is starting" : pod->problem));
  requeue_at(out, deadline);
  return out;
}

RolloutDecision RolloutStateMachine::decide_stable_step(std::size_t index) {
  const Part& part = parts_[index];
  // One that was never good holds up nothing.
  if (settled(part) || lacks_room_only(part) || unproven(part)) {
    start_step(first_step_from(index + 1));
    return roll();
  }
  std::int64_t deadline = deadline_from(last_progress_ms(part, true));
  const bool excused = input_.now_ms >= deadline && waits_for_kafka(part);
  if (excused) {
    memory_.rolling_since_ms = input_.now_ms;
    deadline = input_.now_ms + to_ms(input_.rules.progress_deadline);
  } else if (input_.now_ms >= deadline) {
    return fail(deadline_failure_with_pod_report(part, "ProgressDeadlineExceeded"));
  }
  RolloutDecision out =
      excused ? decision(Phase::kRolling, "KafkaUnreachable", part.name + ": " + kKafkaUnreachable)
              : decision(Phase::kRolling, "Promoting", waiting_for(part));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    out.actions[i].stable =
        i <= index ? promoted_target(parts_[i]) : steady_target(parts_[i], false);
  }
  // It bears its share until the others do.
  out.actions[index].canary = needs_canary(part);
  requeue_at(out, deadline);
  return out;
}

// Each further pod that is created (or becomes ready) is progress; one that is ready now and then
// is not.
std::int64_t RolloutStateMachine::last_progress_ms(const Part& part, bool ready_only) const {
  std::int64_t latest = memory_.rolling_since_ms;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || pod.revision != part.desired->revision) continue;
    if (pod.ready || !ready_only) latest = std::max(latest, unix_ms(pod.created));
  }
  return std::min(latest, input_.now_ms);
}

std::int64_t RolloutStateMachine::deadline_from(std::int64_t begin_ms) const {
  const std::int64_t deadline = begin_ms + to_ms(input_.rules.progress_deadline);
  if (input_.observed_since_ms == 0) return deadline;
  const std::int64_t since = std::min(input_.observed_since_ms, input_.now_ms);
  return std::max(deadline, since + to_ms(input_.rules.healthy_after));
}

}  // namespace spanway::decide
