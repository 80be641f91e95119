#include "operator/decide/rollout.h"

#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/wall_time.h"

namespace spanway::reconcile {
namespace {

using Phase = RolloutDecision::Phase;
using render::Component;

constexpr std::size_t kMessageBytesMax = 512;
// Annotations may be much longer than a field of the status.
constexpr std::size_t kForceCheckBytesMax = 128;
// The clock of the API server writes whole seconds: never look again sooner.
constexpr std::int64_t kLookAgainMsMin = 1000;
// Most excuses end with an event; this is for those that do not.
constexpr std::int64_t kExcuseLookMs = 60'000;
constexpr char kKafkaIsGone[] = "waits: no pod reaches Kafka, not those that run either";

std::int64_t to_ms(Duration d) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

std::string name_of(const Component& component) {
  return kube::string_at(component.workload.object, "metadata/name");
}

std::string kafka_error_of(const StatuszReport& report) {
  if (!report.kafka_reachable)
    return report.last_error.empty() ? "no broker answers" : report.last_error;
  for (const TopicReport& topic : report.topics) {
    if (!topic.error.empty()) return "topic " + topic.name + ": " + topic.error;
  }
  if (report.produce && !report.produce->ok)
    return "produce requests fail: " + report.produce->error;
  return "";
}

// `waits`: one that has not answered yet is an error too.
std::string destination_error_of(const StatuszReport& report, bool waits) {
  if (!report.has_destination) return "";
  const std::string place = "destination " + report.destination_endpoint;
  if (!report.destination_known) return waits ? place + " has not answered yet" : "";
  if (report.destination_reachable) return "";
  return place + " cannot be reached: " + report.destination_error;
}

// A reason that fails a rollout.
struct Failure {
  std::string reason;
  std::string message;
};

// One look. Made for one call of decide().
class Machine {
 public:
  explicit Machine(const RolloutInput& input);
  RolloutDecision run();

 private:
  struct Part {
    const Component* wanted = nullptr;
    const Component* last_good = nullptr;  // Null when the last good spec has no such component.
    const ComponentView* view = nullptr;
    std::string name;
    bool blocked = false;  // A Secret of it is missing.
  };
  RolloutDecision look();
  // What begins a look: whether there is something to go back to, and what has changed since.
  void forget_what_is_over();
  bool has_last_good() const noexcept { return !memory_.last_good_revision.empty(); }

  RolloutDecision install();
  RolloutDecision complete();
  RolloutDecision roll();
  RolloutDecision prove();
  // What prove() does while a component that has a record lacks its Secret.
  RolloutDecision prove_all_but(const Part& blocked);
  RolloutDecision fail(const Failure& failure);
  RolloutDecision stay_failed();

  void start_rolling();
  void start_step(std::size_t index);
  std::size_t first_step_from(std::size_t index) const;
  bool leaves_as_it_is(const Part& part) const;
  bool needs_canary(const Part& part) const;
  bool canary_is_there(const Part& part) const;
  const PodView* canary_pod(const Part& part) const;
  RolloutDecision look_at_canary(std::size_t index);
  RolloutDecision look_at_stable(std::size_t index);
  std::int64_t last_progress_ms(const Part& part, bool ready_only) const;

  bool settled(const Part& part) const;
  // All pods of the wanted revision but one are ready, or what is missing has no node to run on.
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
  // Recording the wanted spec of it would forget what is good of it.
  bool keeps_record(const Part& part) const {
    return part.blocked && part.last_good != nullptr && !unproven(part);
  }
  // The rollout depends on it: it is changed, may change, and something good ran there before.
  bool counts(const Part& part) const;
  const Part* first_unavailable() const;
  void record(RolloutDecision& out);
  std::optional<RolloutDecision> install_in_part(std::int64_t deadline_ms);
  RolloutDecision complete_in_part();
  // A pod of the wanted revision that crashes or cannot be made, in a changed component whose step
  // is over, or is `step`. Pods of earlier attempts do not count.
  std::optional<Failure> broken(std::size_t step) const;
  std::optional<Failure> broken(const Part& part, bool canary_only) const;
  // What stands in the way of this component, for people; empty when it is just starting.
  const PodView* troubled_pod(const Part& part) const;
  // What the pod says of itself; null when it has not answered.
  const StatuszReport* report_of(const PodView& pod) const;
  // What a canary complains of that pods of the old revision do not; empty when nothing. While it
  // `waits` for a destination's first answer, that counts too: exporters probe at their start.
  std::string complaint(const Part& part, const PodView& canary, bool waits) const;
  // Those who have reached Kafka once do not any more, none of them.
  bool kafka_is_gone() const;
  // Nothing but that keeps the component from going on.
  bool waits_for_kafka(const Part& part) const;
  // The old revision is gone, and what is not ready has no node to run on.
  bool lacks_room_only(const Part& part) const;
  Failure late(const Part& part, const char* fallback) const;
  // The same with what the pod says of itself. Its words may change all the time, so only for what
  // is written once.
  Failure late_in_its_words(const Part& part, const char* fallback) const;
  static bool says_nothing(const PodView& pod);
  std::string waiting_for(const Part& part) const;

  // Where a component goes that has had its step.
  Target forward(const Part& part) const { return part.blocked ? held(part) : Target::kWanted; }
  // Where a component stays whose Secret is missing.
  Target held(const Part& part) const {
    const bool was_good = exact_ && part.last_good != nullptr && !unproven(part);
    return was_good ? Target::kLastGood : Target::kKeep;
  }
  // Where a component rests that does not run the wanted revision (yet, or any more).
  Target resting(const Part& part, bool going_back) const;
  RolloutDecision decision(Phase phase, std::string reason, std::string message) const;
  void look_again_at(RolloutDecision& decision, std::int64_t when_ms) const;
  // When what is available will be proven if it stays so.
  void look_again_at_proofs(RolloutDecision& decision) const;

  const RolloutInput& input_;
  const std::string& wanted_revision_;
  RolloutMemory memory_;
  std::vector<Part> parts_;
  // The rendering of the last good spec is what has proven itself. Not so after an upgrade of the
  // operator or a change of a Secret: the same spec then renders to something new.
  bool exact_ = false;
};

Machine::Machine(const RolloutInput& input)
    : input_(input), wanted_revision_(input.wanted.revision), memory_(input.memory) {
  static const ComponentView kNothing;
  for (std::size_t i = 0; i < input.wanted.components.size(); ++i) {
    Part part;
    part.wanted = &input.wanted.components[i];
    part.view = i < input.components.size() ? &input.components[i] : &kNothing;
    part.name = name_of(*part.wanted);
    part.blocked = input.blocked.contains(part.wanted->id);
    if (input.last_good != nullptr) {
      for (const Component& component : input.last_good->components) {
        if (component.id == part.wanted->id) part.last_good = &component;
      }
    }
    parts_.push_back(std::move(part));
  }
}

RolloutDecision Machine::run() {
  RolloutDecision out = look();
  // A pod that just does not become ready makes no event; the status has to say so in time.
  for (const Part& part : parts_) {
    for (const PodView& pod : part.view->pods) {
      const std::int64_t at = patience_ends_ms(pod, input_.now_ms);
      if (at != 0) look_again_at(out, at);
    }
  }
  return out;
}

RolloutDecision Machine::look() {
  forget_what_is_over();
  if (!has_last_good()) return install();
  if (wanted_revision_ == memory_.last_good_revision) return complete();
  if (memory_.failed_revision == wanted_revision_) return stay_failed();
  return roll();
}

void Machine::forget_what_is_over() {
  // The status may be lost while the recorded spec is not.
  if (memory_.last_good_revision.empty() && input_.last_good != nullptr) {
    memory_.last_good_revision = input_.last_good->revision;
  }
  exact_ = input_.last_good != nullptr && input_.last_good->revision == memory_.last_good_revision;
  if (input_.forced || memory_.failed_revision != wanted_revision_) {
    memory_.failed_revision.clear();
    memory_.failed_reason.clear();
  }
  // A clock that was put back must not make us wait for it.
  memory_.rolling_since_ms = std::min(memory_.rolling_since_ms, input_.now_ms);
  for (auto& [name, since] : memory_.available_since_ms) since = std::min(since, input_.now_ms);
}

std::int64_t Machine::enough_pods(const Part& part) {
  return std::max<std::int64_t>(1, part.view->stable.replicas - 1);
}

std::int64_t Machine::enough_pods_since_ms(const Part& part) const {
  std::vector<std::int64_t> ready;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || !pod.ready || pod.revision != part.wanted->revision) continue;
    ready.push_back(pod.ready_since ? unix_ms(*pod.ready_since) : input_.now_ms);
  }
  if (ready.empty()) return 0;
  std::sort(ready.begin(), ready.end());
  const std::size_t enough = std::min(ready.size(), static_cast<std::size_t>(enough_pods(part)));
  return ready[enough - 1];
}

bool Machine::has_restarted(const Part& part, std::int64_t since_ms) const {
  std::int64_t steady = 0;
  std::int64_t restarted = 0;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || !pod.ready || pod.revision != part.wanted->revision) continue;
    // A pod that came later may have taken the place of one that served until then.
    const bool came_later = unix_ms(pod.created) > since_ms;
    const bool was_ready = !pod.ready_since || unix_ms(*pod.ready_since) <= since_ms;
    steady += came_later || was_ready ? 1 : 0;
    restarted += came_later || was_ready ? 0 : 1;
  }
  return restarted > 0 && steady < enough_pods(part);
}

void Machine::count_availability() {
  std::map<std::string, std::int64_t> since;
  for (const Part& part : parts_) {
    if (part.blocked || (leaves_as_it_is(part) && !unproven(part))) continue;
    if (!available(part) || broken(part, false)) continue;
    const auto known = memory_.available_since_ms.find(part.name);
    std::int64_t at = known == memory_.available_since_ms.end() ? input_.now_ms : known->second;
    if (at < input_.observed_since_ms)
      at = std::max(at, std::min(enough_pods_since_ms(part), input_.observed_since_ms));
    if (has_restarted(part, at)) at = std::max(at, enough_pods_since_ms(part));
    since[part.name] = at;
  }
  memory_.available_since_ms = std::move(since);
}

RolloutDecision Machine::decision(Phase phase, std::string reason, std::string message) const {
  RolloutDecision decision;
  decision.phase = phase;
  decision.memory = memory_;
  decision.reason = std::move(reason);
  decision.message = one_line(message, kMessageBytesMax);
  for (const Part& part : parts_)
    decision.actions.push_back({.id = part.wanted->id, .stable = forward(part)});
  return decision;
}

void Machine::look_again_at(RolloutDecision& decision, std::int64_t when_ms) const {
  const auto wait = std::chrono::milliseconds(std::max(kLookAgainMsMin, when_ms - input_.now_ms));
  if (decision.look_again == Duration::zero() || decision.look_again > wait) {
    decision.look_again = wait;
  }
}

void Machine::look_again_at_proofs(RolloutDecision& decision) const {
  for (const Part& part : parts_) {
    if (memory_.available_since_ms.contains(part.name) && !proven(part))
      look_again_at(decision, proven_at_ms(part));
  }
}

// ---- The first time -----------------------------------------------------------------------------

RolloutDecision Machine::install() {
  if (memory_.rolling_revision != wanted_revision_) {
    memory_.rolling_revision = wanted_revision_;
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
      look_again_at(out, deadline);
    } else {
      look_again_at_proofs(out);
    }
    // One that stays up from now on makes no event either.
    for (const Part& part : parts_) {
      for (const PodView& pod : part.view->pods) {
        const std::int64_t at =
            crashing_ends_ms(pod, input_.now_ms, input_.rules.progress_deadline);
        if (at != 0) look_again_at(out, at);
      }
    }
    return out;
  }
  const Part* waiting = first_unavailable();
  if (waiting == nullptr) return prove();
  RolloutDecision out;
  if (input_.now_ms >= deadline) {
    const Failure failure = late(*waiting, "ProgressDeadlineExceeded");
    out = decision(Phase::kInstalling, failure.reason, failure.message);
    look_again_at_proofs(out);
  } else {
    out = decision(Phase::kInstalling, "Installing", waiting_for(*waiting));
    look_again_at(out, deadline);
  }
  out.remove_others = true;
  return out;
}

// One component that does not come up must not keep the others from a last good revision.
std::optional<RolloutDecision> Machine::install_in_part(std::int64_t deadline_ms) {
  if (input_.now_ms < deadline_ms) return std::nullopt;
  const auto is_good = [this](const Part& part) {
    return part.wanted->replicas > 0 && proven(part);
  };
  if (std::none_of(parts_.begin(), parts_.end(), is_good)) return std::nullopt;
  if (std::all_of(parts_.begin(), parts_.end(), is_good)) return std::nullopt;  // As usual.
  for (const Part& part : parts_) {
    if (!proven(part)) memory_.unproven.insert(part.name);
  }
  if (memory_.unproven.empty()) return std::nullopt;
  memory_.last_good_revision = wanted_revision_;
  RolloutDecision out = complete();
  out.record_last_good = true;
  return out;
}

// ---- The end ------------------------------------------------------------------------------------

RolloutDecision Machine::complete() {
  count_availability();
  memory_.rolling_revision.clear();
  memory_.rolling_component.clear();
  memory_.rolling_promoted = false;
  memory_.rolling_since_ms = 0;
  memory_.failed_revision.clear();
  memory_.failed_reason.clear();
  std::erase_if(memory_.unproven, [this](const std::string& name) {
    return std::none_of(parts_.begin(), parts_.end(),
                        [&](const Part& part) { return part.name == name && !proven(part); });
  });
  std::erase_if(memory_.available_since_ms,
                [this](const auto& entry) { return !memory_.unproven.contains(entry.first); });
  RolloutDecision out =
      memory_.unproven.empty()
          ? decision(Phase::kComplete, "Complete",
                     "revision " + wanted_revision_ + " runs and has proven itself")
          : complete_in_part();
  // The recorded spec is gone or cannot be read any more: this one is equal to it.
  out.record_last_good = input_.last_good == nullptr;
  out.remove_others = true;
  return out;
}

// The spec is recorded, and a component of it has never been available for long enough.
RolloutDecision Machine::complete_in_part() {
  const auto first = std::find_if(parts_.begin(), parts_.end(),
                                  [this](const Part& part) { return unproven(part); });
  if (first->blocked) {
    return decision(Phase::kInstalling, "SecretMissing", first->name + ": waits for a Secret");
  }
  const auto failure = broken(*first, false);
  RolloutDecision out;
  if (failure) {
    out = decision(Phase::kInstalling, failure->reason, failure->message);
  } else if (available(*first)) {
    out = decision(Phase::kProving, "Proving", first->name + ": is available and proves itself");
  } else {
    const Failure lacking = late(*first, "ProgressDeadlineExceeded");
    out = decision(Phase::kInstalling, lacking.reason, lacking.message);
  }
  look_again_at_proofs(out);
  for (const Part& part : parts_) {
    for (const PodView& pod : part.view->pods) {
      const std::int64_t at = crashing_ends_ms(pod, input_.now_ms, input_.rules.progress_deadline);
      if (at != 0) look_again_at(out, at);
    }
  }
  return out;
}

RolloutDecision Machine::prove() {
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
                                 "all components run revision " + wanted_revision_ +
                                     "; it counts as good when they stay available");
  out.remove_others = true;
  look_again_at(out, good_at);
  return out;
}

RolloutDecision Machine::prove_all_but(const Part& blocked) {
  const bool is_new =
      std::any_of(parts_.begin(), parts_.end(), [this](const Part& part) { return counts(part); });
  if (is_new) {
    std::map<std::string, std::string> revisions;
    for (const Part& part : parts_)
      revisions[part.name] = keeps_record(part) ? part.last_good->revision : part.wanted->revision;
    memory_.last_good_revision = render::revision_of(revisions);
    memory_.available_since_ms.clear();
  }
  RolloutDecision out =
      decision(Phase::kProving, "SecretMissing", blocked.name + ": waits for a Secret");
  out.remove_others = true;
  out.record_last_good = is_new;
  for (const Part& part : parts_)
    if (is_new && keeps_record(part)) out.keep_recorded.insert(part.name);
  return out;
}

void Machine::record(RolloutDecision& out) {
  for (const Part& part : parts_) {
    if (part.blocked) memory_.unproven.insert(part.name);
  }
  memory_.last_good_revision = wanted_revision_;
  out = complete();
  out.record_last_good = true;
}

// ---- Component after component ------------------------------------------------------------------

void Machine::start_rolling() {
  memory_.rolling_revision = wanted_revision_;
  start_step(first_step_from(0));
}

void Machine::start_step(std::size_t index) {
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
  memory_.rolling_since_ms = !memory_.rolling_promoted && canary_is_there(part) ? 0 : input_.now_ms;
}

// The next component whose stable workload is to change; parts_.size() when there is none.
std::size_t Machine::first_step_from(std::size_t index) const {
  while (index < parts_.size()) {
    const Part& part = parts_[index];
    const bool runs_already =
        part.view->stable.exists && part.view->stable.revision == part.wanted->revision;
    if (!part.blocked && !leaves_as_it_is(part) && !runs_already) break;
    ++index;
  }
  return index;
}

// What the last good spec has proven for this component is what is wanted.
bool Machine::leaves_as_it_is(const Part& part) const {
  return exact_ && part.last_good != nullptr && part.last_good->revision == part.wanted->revision;
}

bool Machine::needs_canary(const Part& part) const {
  if (input_.rules.strategy == api::Rollout::Strategy::kRollingUpdate) return false;
  // New in this pipeline: nothing runs that could suffer.
  if (input_.last_good != nullptr && part.last_good == nullptr) return false;
  if (!part.view->stable.exists || unproven(part)) return false;
  // Paused: a canary would do what nobody wants done.
  return part.wanted->replicas > 0 || part.wanted->replicas_elsewhere;
}

const PodView* Machine::canary_pod(const Part& part) const {
  const PodView* newest = nullptr;
  for (const PodView& pod : part.view->pods) {
    if (!pod.canary || pod.deleting || pod.revision != part.wanted->revision) continue;
    if (newest == nullptr || pod.created > newest->created) newest = &pod;
  }
  return newest;
}

bool Machine::canary_is_there(const Part& part) const {
  return part.view->canary.exists || canary_pod(part) != nullptr;
}

RolloutDecision Machine::roll() {
  if (memory_.rolling_revision != wanted_revision_) start_rolling();
  if (input_.refused_for_ms > 0 && input_.refused_for_ms >= to_ms(input_.rules.progress_deadline))
    return fail({"ApplyRefused", input_.refusal});
  if (!memory_.rolling_component.empty()) {
    memory_.available_since_ms.clear();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].name != memory_.rolling_component) continue;
      // Components that have had their step still count.
      if (const auto failure = broken(i)) return fail(*failure);
      return memory_.rolling_promoted ? look_at_stable(i) : look_at_canary(i);
    }
    // A name that is not ours: what was remembered is of no use.
    start_rolling();
    return roll();
  }
  // One whose Secret was missing when its turn came has it now.
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!counts(part) || part.last_good == nullptr || !part.view->stable.exists) continue;
    if (part.last_good->revision == part.wanted->revision ||
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
  const std::int64_t deadline =
      last_progress_ms(*waiting, false) + to_ms(input_.rules.progress_deadline);
  const bool excused = waits_for_kafka(*waiting);
  if (!excused && input_.now_ms >= deadline)
    return fail(late_in_its_words(*waiting, "ProgressDeadlineExceeded"));
  RolloutDecision out = decision(Phase::kProving, "Proving", waiting_for(*waiting));
  out.remove_others = true;
  look_again_at(out, excused ? input_.now_ms + kExcuseLookMs : deadline);
  return out;
}

RolloutDecision Machine::look_at_canary(std::size_t index) {
  const Part& part = parts_[index];
  const auto rolling = [&](bool canary, const char* reason, std::string message) {
    RolloutDecision out = decision(Phase::kRolling, reason, part.name + ": " + message);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      // Those before have had their step, or needed none.
      out.actions[i].stable = i < index ? forward(parts_[i]) : resting(parts_[i], false);
    }
    out.actions[index].canary = canary;
    return out;
  };
  if (memory_.rolling_since_ms == 0) {
    if (canary_is_there(part)) return rolling(false, "CanaryStarting", "an old canary has to go");
    memory_.rolling_since_ms = input_.now_ms;
  }
  const bool runs_it =
      part.view->stable.exists && part.view->stable.revision == part.wanted->revision;
  if (runs_it || !needs_canary(part)) {
    // It was promoted, and the note of it got lost; or it was paused meanwhile, and its canary too.
    memory_.rolling_promoted = true;
    memory_.rolling_since_ms = input_.now_ms;
    return look_at_stable(index);
  }
  const PodView* pod = canary_pod(part);
  // Deleted by hand, or the API server refuses it: when there is one it has half of its time at
  // least. Not each look is written down.
  const bool is_made = pod != nullptr || part.view->canary.exists;
  const std::int64_t patience = to_ms(input_.rules.progress_deadline);
  if (!is_made && input_.now_ms - memory_.rolling_since_ms >= patience / 2) {
    memory_.rolling_since_ms = input_.now_ms;
  }
  const std::int64_t deadline = memory_.rolling_since_ms + patience;
  const std::int64_t proof = to_ms(input_.rules.healthy_after);
  if (pod != nullptr && pod->ready && pod->ready_since) {
    const std::int64_t good_at = unix_ms(*pod->ready_since) + proof;
    const std::string words = complaint(part, *pod, input_.now_ms < deadline);
    if (input_.now_ms >= good_at && words.empty()) {
      memory_.rolling_promoted = true;
      memory_.rolling_since_ms = input_.now_ms;
      return look_at_stable(index);
    }
    // Ready only now and then is not healthy either.
    if (input_.now_ms >= deadline + proof) {
      return fail(words.empty() ? late_in_its_words(part, "CanaryNotReady")
                                : Failure{"CanaryUnhealthy", part.name + ": " + words});
    }
    RolloutDecision out = rolling(true, "CanaryProving",
                                  words.empty() ? "the canary " + pod->name + " is ready" : words);
    look_again_at(out,
                  good_at > input_.now_ms ? std::min(good_at, deadline + proof) : deadline + proof);
    return out;
  }
  if (input_.now_ms >= deadline && waits_for_kafka(part)) {
    memory_.rolling_since_ms = input_.now_ms;
    RolloutDecision out = rolling(true, "KafkaUnreachable", kKafkaIsGone);
    look_again_at(out, input_.now_ms + patience);
    return out;
  }
  if (input_.now_ms >= deadline) return fail(late_in_its_words(part, "CanaryNotReady"));
  RolloutDecision out = rolling(
      true, "CanaryStarting",
      pod == nullptr
          ? (part.view->canary.problem.empty() ? "starting a canary" : part.view->canary.problem)
          : (pod->problem.empty() ? "the canary starts" : pod->problem));
  look_again_at(out, deadline);
  return out;
}

RolloutDecision Machine::look_at_stable(std::size_t index) {
  const Part& part = parts_[index];
  // One that was never good holds up nothing.
  if (settled(part) || lacks_room_only(part) || unproven(part)) {
    start_step(first_step_from(index + 1));
    return roll();
  }
  std::int64_t deadline = last_progress_ms(part, true) + to_ms(input_.rules.progress_deadline);
  const bool excused = input_.now_ms >= deadline && waits_for_kafka(part);
  if (excused) {
    memory_.rolling_since_ms = input_.now_ms;
    deadline = input_.now_ms + to_ms(input_.rules.progress_deadline);
  } else if (input_.now_ms >= deadline) {
    return fail(late_in_its_words(part, "ProgressDeadlineExceeded"));
  }
  RolloutDecision out =
      excused ? decision(Phase::kRolling, "KafkaUnreachable", part.name + ": " + kKafkaIsGone)
              : decision(Phase::kRolling, "Promoting", waiting_for(part));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    out.actions[i].stable = i <= index ? forward(parts_[i]) : resting(parts_[i], false);
  }
  // It bears its share until the others do.
  out.actions[index].canary = needs_canary(part);
  look_again_at(out, deadline);
  return out;
}

// Each further pod that is made (or even becomes ready) is progress; one that is ready now and then
// is not.
std::int64_t Machine::last_progress_ms(const Part& part, bool ready_only) const {
  std::int64_t latest = memory_.rolling_since_ms;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || pod.revision != part.wanted->revision) continue;
    if (pod.ready || !ready_only) latest = std::max(latest, unix_ms(pod.created));
  }
  return std::min(latest, input_.now_ms);
}

// ---- When it fails ------------------------------------------------------------------------------

RolloutDecision Machine::fail(const Failure& failure) {
  memory_.failed_revision = wanted_revision_;
  memory_.failed_reason = one_line(failure.reason + ": " + failure.message, kMessageBytesMax);
  memory_.rolling_revision.clear();
  memory_.rolling_component.clear();
  memory_.rolling_promoted = false;
  memory_.rolling_since_ms = 0;
  RolloutDecision out = stay_failed();
  out.just_failed = true;
  return out;
}

RolloutDecision Machine::stay_failed() {
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
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!pause) {
      out.actions[i].stable = resting(part, true);
      continue;
    }
    const bool promoted = part.view->stable.revision == part.wanted->revision;
    out.actions[i].stable = promoted ? Target::kWanted : resting(part, false);
    // For a person to look into.
    out.actions[i].canary = part.view->canary.exists &&
                            part.view->canary.revision == part.wanted->revision && !promoted;
  }
  return out;
}

Target Machine::resting(const Part& part, bool going_back) const {
  if (part.blocked) return held(part);
  const WorkloadView& stable = part.view->stable;
  const bool runs_wanted = stable.exists && stable.revision == part.wanted->revision;
  if (leaves_as_it_is(part)) return Target::kWanted;
  if (!going_back && runs_wanted && stable.settled) return Target::kWanted;
  // The recorded spec cannot be rendered: what runs is all there is.
  if (input_.last_good == nullptr) return runs_wanted ? Target::kWanted : Target::kKeep;
  if (part.last_good == nullptr) {
    return going_back || !stable.exists ? Target::kLastGood : Target::kKeep;
  }
  if (!stable.exists) return Target::kLastGood;
  if (exact_) {
    // Half of an earlier rollout that is healthy can stay until its turn comes.
    const bool foreign = stable.revision != part.last_good->revision;
    return foreign && stable.settled && !going_back ? Target::kKeep : Target::kLastGood;
  }
  // Never give it something new on the way back.
  if (runs_wanted && part.last_good->revision != part.wanted->revision && going_back) {
    return Target::kLastGood;
  }
  return runs_wanted ? Target::kWanted : Target::kKeep;
}

// ---- What the pods say --------------------------------------------------------------------------

bool Machine::settled(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  return stable.exists && stable.revision == part.wanted->revision && stable.settled;
}

bool Machine::available(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (!stable.exists || stable.revision != part.wanted->revision) return false;
  if (settled(part) || lacks_room_only(part)) return true;
  std::int64_t ready = 0;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting) continue;
    if (pod.revision != part.wanted->revision) return false;
    ready += pod.ready ? 1 : 0;
  }
  return stable.replicas == 0 || ready >= enough_pods(part);
}

std::int64_t Machine::proven_at_ms(const Part& part) const {
  const auto since = memory_.available_since_ms.find(part.name);
  return (since == memory_.available_since_ms.end() ? input_.now_ms : since->second) +
         to_ms(input_.rules.healthy_after);
}

bool Machine::proven(const Part& part) const {
  return memory_.available_since_ms.contains(part.name) && input_.now_ms >= proven_at_ms(part);
}

bool Machine::counts(const Part& part) const {
  return !part.blocked && !leaves_as_it_is(part) && !unproven(part);
}

const Machine::Part* Machine::first_unavailable() const {
  for (const Part& part : parts_)
    if (counts(part) && !available(part)) return &part;
  return nullptr;
}

std::optional<Failure> Machine::broken(std::size_t step) const {
  for (std::size_t i = 0; i < parts_.size() && i <= step; ++i) {
    if (!counts(parts_[i])) continue;
    const bool canary_stage = i == step && !memory_.rolling_promoted;
    if (canary_stage && memory_.rolling_since_ms == 0) continue;
    if (auto failure = broken(parts_[i], canary_stage)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> Machine::broken(const Part& part, bool canary_only) const {
  for (const PodView& pod : part.view->pods) {
    if (pod.deleting || pod.revision != part.wanted->revision) continue;
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

const PodView* Machine::troubled_pod(const Part& part) const {
  const PodView* found = nullptr;
  for (const PodView& pod : part.view->pods) {
    if (pod.deleting || pod.ready || pod.revision != part.wanted->revision) continue;
    if (found == nullptr || (found->problem.empty() && !pod.problem.empty())) found = &pod;
  }
  return found;
}

// The deadline has passed: the pod's own reason says more than ours.
Failure Machine::late(const Part& part, const char* fallback) const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(input_.rules.progress_deadline).count();
  const std::string waited = ", after " + std::to_string(seconds) + " s";
  if (part.view->stable.paused && std::string_view(fallback) != "CanaryNotReady") {
    return {"DeploymentPaused",
            part.name + ": spec.paused of the Deployment is set (kubectl rollout pause); " +
                "kubectl rollout resume lets it go on" + waited};
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
  const bool plain = says_nothing(*pod) || pod->reason == "Restarted";
  const std::string what =
      pod->problem.empty() ? "pod " + pod->name + " is not ready" : pod->problem;
  return {plain ? fallback : pod->reason, part.name + ": " + what + waited};
}

Failure Machine::late_in_its_words(const Part& part, const char* fallback) const {
  Failure failure = late(part, fallback);
  const PodView* pod = troubled_pod(part);
  if (pod == nullptr || !says_nothing(*pod)) return failure;
  if (const StatuszReport* report = report_of(*pod); report != nullptr && !report->reason.empty()) {
    failure.message += ": " + report->reason;
  }
  return failure;
}

bool Machine::says_nothing(const PodView& pod) {
  return pod.reason.empty() || pod.reason == "NotReady" || pod.reason == "ContainerCreating";
}

const StatuszReport* Machine::report_of(const PodView& pod) const {
  if (input_.reports == nullptr) return nullptr;
  const auto found = input_.reports->find(pod.name);
  return found == input_.reports->end() || !found->second.answered ? nullptr : &found->second;
}

std::string Machine::complaint(const Part& part, const PodView& canary, bool waits) const {
  const StatuszReport* report = report_of(canary);
  if (report == nullptr) return "";
  const render::Role role = part.wanted->id.role;
  if (role == render::Role::kIngress) return "";
  const auto error_of = [role, waits](const StatuszReport& one) {
    return role == render::Role::kExporter ? destination_error_of(one, waits) : kafka_error_of(one);
  };
  const std::string error = error_of(*report);
  if (error.empty()) return "";
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || pod.revision == part.wanted->revision) continue;
    const StatuszReport* old = report_of(pod);
    // Of a destination that nothing was sent to nothing is known.
    const bool has_proof =
        role != render::Role::kExporter || (old != nullptr && old->destination_known);
    if (old != nullptr && has_proof && error_of(*old).empty()) {
      return "pod " + canary.name + ": " + error + "; pods of the old revision do not say so";
    }
  }
  return "";
}

bool Machine::kafka_is_gone() const {
  if (input_.reports == nullptr) return false;
  bool may_be = false;
  for (const Part& part : parts_) {
    const render::Role role = part.wanted->id.role;
    if (role != render::Role::kBridge && role != render::Role::kConsumer) continue;
    for (const PodView& pod : part.view->pods) {
      // Ready is who has reached it once.
      if (pod.deleting || !pod.ready) continue;
      // Not asked yet, after a restart of the operator: nothing speaks against it.
      const bool unasked = !input_.reports->contains(pod.name);
      const StatuszReport* report = report_of(pod);
      if (report != nullptr && report->kafka_reachable) return false;
      may_be = may_be || unasked || report != nullptr;
    }
  }
  return may_be;
}

bool Machine::waits_for_kafka(const Part& part) const {
  const PodView* pod = troubled_pod(part);
  return pod != nullptr && (pod->reason.empty() || pod->reason == "NotReady") && kafka_is_gone();
}

bool Machine::lacks_room_only(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (!stable.exists || stable.revision != part.wanted->revision) return false;
  bool serves = false;
  bool lacks = false;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting) continue;
    if (pod.revision != part.wanted->revision) return false;
    serves = serves || pod.ready;
    if (pod.ready) continue;
    if (pod.reason != "Unschedulable" && pod.reason != "NodeLost") return false;
    lacks = true;
  }
  return serves && lacks;
}

std::string Machine::waiting_for(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (const PodView* pod = troubled_pod(part); pod != nullptr && !pod->problem.empty()) {
    return part.name + ": " + pod->problem;
  }
  if (!stable.exists) return part.name + ": is being made";
  if (!stable.problem.empty()) return part.name + ": " + stable.problem;
  if (stable.revision != part.wanted->revision) {
    return part.name + ": runs revision " + stable.revision + " still";
  }
  return part.name + ": " + std::to_string(stable.updated) + " of " +
         std::to_string(stable.replicas) + " pods are up to date, " + std::to_string(stable.ready) +
         " ready";
}

}  // namespace

bool obey_force_check(const std::string& annotation, RolloutMemory& memory) {
  if (annotation.empty()) return false;
  std::string value =
      annotation.size() <= kForceCheckBytesMax ? annotation : kube::fingerprint(Json(annotation));
  if (value == memory.force_check) return false;
  memory.force_check = std::move(value);
  return true;
}

RolloutDecision decide(const RolloutInput& input) { return Machine(input).run(); }

}  // namespace spanway::reconcile
