#include <algorithm>
#include <map>
#include <utility>

#include "operator/decide/pod_health.h"
#include "operator/decide/rollout_state_machine.h"

namespace spanway::decide {

RolloutDecision RolloutStateMachine::install() {
  if (memory_.rolling_revision != desired_revision_) {
    memory_.rolling_revision = desired_revision_;
    memory_.rolling_component.clear();
    memory_.rolling_promoted = false;
    memory_.rolling_since_ms = input_.now_ms;
    memory_.unproven.clear();
    memory_.available_since_ms.clear();
  }
  count_availability();
  const std::int64_t deadline = memory_.rolling_since_ms + to_ms(input_.rules.progress_deadline);
  if (auto out = install_in_part(deadline)) return std::move(*out);
  if (const auto failure = broken(parts_.size())) {
    RolloutDecision out = decision(Phase::kInstalling, failure->reason, failure->message);
    out.remove_others = true;
    if (input_.now_ms < deadline) {
      requeue_at(out, deadline);
    } else {
      requeue_at_proofs(out);
    }
    // One that stays up from now on makes no event either.
    for (const Part& part : parts_) {
      for (const PodView& pod : part.view->pods) {
        const std::int64_t at =
            crashing_ends_ms(pod, input_.now_ms, input_.rules.progress_deadline);
        if (at != 0) requeue_at(out, at);
      }
    }
    return out;
  }
  const Part* waiting = first_unavailable();
  if (waiting == nullptr) return prove();
  RolloutDecision out;
  if (input_.now_ms >= deadline) {
    const Failure failure = deadline_failure(*waiting, "ProgressDeadlineExceeded");
    out = decision(Phase::kInstalling, failure.reason, failure.message);
    requeue_at_proofs(out);
  } else {
    out = decision(Phase::kInstalling, "Installing", waiting_for(*waiting));
    requeue_at(out, deadline);
  }
  out.remove_others = true;
  return out;
}

// One component that does not come up must not keep the others from a last good revision.
std::optional<RolloutDecision> RolloutStateMachine::install_in_part(std::int64_t deadline_ms) {
  if (input_.now_ms < deadline_ms) return std::nullopt;
  const auto is_good = [this](const Part& part) {
    return part.desired->replicas > 0 && proven(part);
  };
  if (std::none_of(parts_.begin(), parts_.end(), is_good)) return std::nullopt;
  if (std::all_of(parts_.begin(), parts_.end(), is_good)) return std::nullopt;  // As usual.
  for (const Part& part : parts_) {
    if (!proven(part)) memory_.unproven.insert(part.name);
  }
  if (memory_.unproven.empty()) return std::nullopt;
  memory_.last_good_revision = desired_revision_;
  RolloutDecision out = complete();
  out.record_last_good = true;
  return out;
}

RolloutDecision RolloutStateMachine::complete() {
  count_availability();
  memory_.rolling_revision.clear();
  memory_.rolling_component.clear();
  memory_.rolling_promoted = false;
  memory_.rolling_since_ms = 0;
  forget_failure();
  std::erase_if(memory_.unproven, [this](const std::string& name) {
    return std::none_of(parts_.begin(), parts_.end(),
                        [&](const Part& part) { return part.name == name && !proven(part); });
  });
  std::erase_if(memory_.available_since_ms,
                [this](const auto& entry) { return !memory_.unproven.contains(entry.first); });
  RolloutDecision out =
      memory_.unproven.empty()
          ? decision(Phase::kComplete, "Complete",
                     "revision " + desired_revision_ + " runs and has proven itself")
          : complete_in_part();
  // The recorded spec is gone or cannot be read any more: this one is equal to it.
  out.record_last_good = input_.last_good == nullptr;
  out.remove_others = true;
  return out;
}

// The spec is recorded, and a component of it has never been available for long enough.
RolloutDecision RolloutStateMachine::complete_in_part() {
  const auto first = std::find_if(parts_.begin(), parts_.end(),
                                  [this](const Part& part) { return unproven(part); });
  if (first->blocked) {
    const Failure obstacle = obstacle_of(*first);
    return decision(Phase::kInstalling, obstacle.reason, obstacle.message);
  }
  const auto failure = broken(*first, false);
  RolloutDecision out;
  if (failure) {
    out = decision(Phase::kInstalling, failure->reason, failure->message);
  } else if (available(*first)) {
    out = decision(Phase::kProving, "Proving", first->name + ": is available and proves itself");
  } else {
    const Failure lacking = deadline_failure(*first, "ProgressDeadlineExceeded");
    out = decision(Phase::kInstalling, lacking.reason, lacking.message);
  }
  requeue_at_proofs(out);
  for (const Part& part : parts_) {
    for (const PodView& pod : part.view->pods) {
      const std::int64_t at = crashing_ends_ms(pod, input_.now_ms, input_.rules.progress_deadline);
      if (at != 0) requeue_at(out, at);
    }
  }
  return out;
}

RolloutDecision RolloutStateMachine::prove() {
  // Also when no component is changed: one may be gone.
  std::int64_t good_at = memory_.rolling_since_ms + to_ms(input_.rules.healthy_after);
  for (const Part& part : parts_)
    if (counts(part)) good_at = std::max(good_at, proven_at_ms(part));
  const auto blocked = std::find_if(parts_.begin(), parts_.end(),
                                    [this](const Part& part) { return keeps_record(part); });
  if (blocked != parts_.end() &&
      (input_.now_ms >= good_at ||
       std::none_of(parts_.begin(), parts_.end(), [this](const Part& p) { return counts(p); })))
    return prove_all_but(*blocked);
  if (input_.now_ms >= good_at) {
    RolloutDecision out;
    record(out);
    return out;
  }
  RolloutDecision out = decision(Phase::kProving, "Proving",
                                 "all components run revision " + desired_revision_ +
                                     "; it counts as good when they stay available");
  out.remove_others = true;
  requeue_at(out, good_at);
  return out;
}

RolloutDecision RolloutStateMachine::prove_all_but(const Part& blocked) {
  const bool is_new =
      std::any_of(parts_.begin(), parts_.end(), [this](const Part& part) { return counts(part); });
  if (is_new) {
    std::map<std::string, std::string> revisions;
    for (const Part& part : parts_)
      revisions[part.name] = keeps_record(part) ? part.last_good->revision : part.desired->revision;
    memory_.last_good_revision = render::revision_of(revisions);
    memory_.available_since_ms.clear();
  }
  const Failure obstacle = obstacle_of(blocked);
  RolloutDecision out = decision(Phase::kProving, obstacle.reason, obstacle.message);
  out.remove_others = true;
  out.record_last_good = is_new;
  for (const Part& part : parts_)
    if (is_new && keeps_record(part)) out.keep_recorded.insert(part.name);
  return out;
}

Failure RolloutStateMachine::obstacle_of(const Part& blocked) const {
  const auto migrating = input_.migrating.find(blocked.desired->id);
  if (migrating == input_.migrating.end() || input_.blocked.contains(blocked.desired->id))
    return {"SecretMissing", blocked.name + ": waits for a Secret"};
  if (migrating->second.empty())
    return {"MigratePending", blocked.name + ": waits for its migrate Job"};
  return {"MigrateFailed", blocked.name + ": " + migrating->second};
}

void RolloutStateMachine::record(RolloutDecision& out) {
  for (const Part& part : parts_) {
    if (part.blocked) memory_.unproven.insert(part.name);
  }
  memory_.last_good_revision = desired_revision_;
  out = complete();
  out.record_last_good = true;
}

}  // namespace spanway::decide
