// The state machine behind decide() (rollout.h), for one decision. Private to its own sources.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/decide/rollout.h"

namespace spanway::decide {

// Annotations and messages are cut to this in the status.
inline constexpr std::size_t kRolloutMessageBytesMax = 512;

inline std::int64_t to_ms(Duration d) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

// A reason that fails a rollout.
struct Failure {
  std::string reason;
  std::string message;
};

// Made for one call of decide().
class RolloutStateMachine {
 public:
  using Phase = RolloutDecision::Phase;
  using Component = render::Component;

  explicit RolloutStateMachine(const RolloutInput& input);
  RolloutDecision run();

 private:
  struct Part {
    const Component* desired = nullptr;
    const Component* last_good = nullptr;  // Null when the last good spec has no such component.
    const ComponentView* view = nullptr;
    std::string name;
    bool blocked = false;  // A Secret of it is missing, or its tables are not migrated.
  };
  RolloutDecision decide_phase();
  // Forgets what no longer applies: another revision, a forced retry, a clock that was set back.
  void drop_stale_memory();
  void forget_failure();
  bool has_last_good() const noexcept { return !memory_.last_good_revision.empty(); }

  RolloutDecision install();
  RolloutDecision complete();
  RolloutDecision roll();
  RolloutDecision prove();
  // prove() while a component that has a record lacks its Secret.
  RolloutDecision prove_all_but(const Part& blocked);
  // The word and the sentence for what a blocked component waits for.
  Failure obstacle_of(const Part& blocked) const;
  RolloutDecision fail(const Failure& failure);
  RolloutDecision stay_failed();

  void start_rolling();
  void start_step(std::size_t index);
  std::size_t first_step_from(std::size_t index) const;
  bool is_unchanged(const Part& part) const;
  bool needs_canary(const Part& part) const;
  bool has_canary(const Part& part) const;
  const PodView* canary_pod(const Part& part) const;
  RolloutDecision decide_canary_step(std::size_t index);
  RolloutDecision decide_stable_step(std::size_t index);
  std::int64_t last_progress_ms(const Part& part, bool ready_only) const;
  // The progress deadline that began then. When changes may have been missed (a restart, an API
  // server that was away, a clock that jumped), pods get healthy_after from now on at least.
  std::int64_t deadline_from(std::int64_t begin_ms) const;

  bool settled(const Part& part) const;
  // All pods of the desired revision but one are ready, or what is missing has no node to run on.
  bool available(const Part& part) const;
  // Has been available for healthy_after.
  bool proven(const Part& part) const;
  // When an available one will be proven if it stays so.
  std::int64_t proven_at_ms(const Part& part) const;
  // Brings memory_.available_since_ms up to date.
  void count_availability();
  // From when on the ready pods of today suffice.
  std::int64_t enough_pods_since_ms(const Part& part) const;
  static std::int64_t enough_pods(const Part& part);
  // Too few of its pods have been ready since then: others were there, and were not.
  bool has_restarted(const Part& part, std::int64_t since_ms) const;
  bool unproven(const Part& part) const { return memory_.unproven.contains(part.name); }
  // Recording the desired spec of it would forget what is good of it.
  bool keeps_record(const Part& part) const {
    return part.blocked && part.last_good != nullptr && !unproven(part);
  }
  // The rollout depends on it: it is changed, may change, and something good ran there before.
  bool counts(const Part& part) const;
  const Part* first_unavailable() const;
  void record(RolloutDecision& out);
  std::optional<RolloutDecision> install_in_part(std::int64_t deadline_ms);
  RolloutDecision complete_in_part();
  // A pod of the desired revision that crashes or cannot be created, in a changed component whose
  // step is over, or is `step`. Pods of earlier attempts do not count.
  std::optional<Failure> broken(std::size_t step) const;
  std::optional<Failure> broken(const Part& part, bool canary_only) const;
  // The pod that keeps this component from being ready; null when there is none.
  const PodView* troubled_pod(const Part& part) const;
  // The pod's /statusz report; null when it has not answered.
  const StatuszReport* report_of(const PodView& pod) const;
  // An error that the canary reports and pods of the old revision do not; empty = none. While it
  // `waits` for a destination's first answer, that counts too: exporters probe at their start.
  std::string regression_of_canary(const Part& part, const PodView& canary, bool waits) const;
  // No pod that has reached Kafka before can reach it now.
  bool no_pod_reaches_kafka() const;
  // Nothing but that keeps the component from going on.
  bool waits_for_kafka(const Part& part) const;
  // The old revision is gone, and what is not ready has no node to run on.
  bool lacks_room_only(const Part& part) const;
  Failure deadline_failure(const Part& part, const char* fallback) const;
  // The same with the pods' report. Its text may change all the time, so only for what
  // is written once.
  Failure deadline_failure_with_pod_report(const Part& part, const char* fallback) const;
  static bool has_generic_reason(const PodView& pod);
  std::string waiting_for(const Part& part) const;

  // Where a component goes that has had its step.
  Target promoted_target(const Part& part) const {
    return part.blocked ? blocked_target(part) : Target::kDesired;
  }
  // Where a component stays that is blocked.
  Target blocked_target(const Part& part) const {
    const bool was_good = exact_ && part.last_good != nullptr && !unproven(part);
    return was_good ? Target::kLastGood : Target::kKeep;
  }
  // The target of a component that does not run the desired revision (yet, or any more).
  Target steady_target(const Part& part, bool rolling_back) const;
  RolloutDecision decision(Phase phase, std::string reason, std::string message) const;
  void requeue_at(RolloutDecision& decision, std::int64_t when_ms) const;
  // When what is available will be proven if it stays so.
  void requeue_at_proofs(RolloutDecision& decision) const;

  const RolloutInput& input_;
  const std::string& desired_revision_;
  RolloutMemory memory_;
  std::vector<Part> parts_;
  // The rendering of the last good spec is what has proven itself. Not so after an upgrade of the
  // operator or a change of a Secret: the same spec then renders to something new.
  bool exact_ = false;
};

}  // namespace spanway::decide
