// When a new revision replaces the old one, and when it does not: a pure state machine. Its memory
// is the Pipeline's status and the last good spec, so an operator that restarts resumes it.
//
//   no last good spec: apply everything at once; nothing is rolled back, the status names the cause
//
//   one revision differs: component after component (exporters, consumers, bridge, ingress):
//     canary pod -> ready for healthy_after without a restart -> stable workload -> settled ->
//     canary removed -> next. No canary where nothing runs yet or nothing is to run, and none with
//     strategy RollingUpdate
//
//   a canary or the stable pods crash (2 restarts or CrashLoopBackOff), cannot be created, or are
//   not
//     ready by the progress deadline: every component goes back to the last good spec; the revision
//     is remembered as failed and not tried again until the spec, a Secret or the force-check
//     annotation changes
//
//   all changed components available for healthy_after, each by its own count: this spec is the
//     last good one. A component is available while all of its pods but one are ready, however
//     young they are; a pod that restarts or is replaced starts the count again only when the
//     component was not available meanwhile. For the time before this process watched the Pipeline
//     the pods are the only evidence: then a component counts as available from when enough of
//     the pods of today became ready
//
//   a component of the first spec that has not been available for healthy_after by the progress
//     deadline is unproven: the others are recorded without it. It has no canary until it has been
//     available for healthy_after, and its failure rolls nothing else back
//
//   a component whose Secret is missing when all others have proven themselves keeps what is
//     recorded of it: the others are recorded without it
//
// A canary that reports that it cannot reach Kafka, cannot use a topic, or of an exporter
// that its destination cannot be reached, does not pass while pods of the old revision can. A
// destination that no revision reaches never fails a rollout, nor does Kafka while those who run do
// not reach it either: these only delay it. A component that the new revision leaves as it was does
// not even delay it. A component whose Secret is missing stays as it is until the Secret is there;
// an exporter whose tables are not migrated, until they are.
// A revision that has replaced the old one and lacks room for more pods is not at fault either.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/decide/observation.h"
#include "operator/decide/statusz_report.h"

namespace spanway::decide {

// The memory of the state machine between two reconciliations, stored in status.config.
struct RolloutMemory {
  std::string last_good_revision;  // All components together; empty = never healthy yet.
  std::string failed_revision;
  std::string failed_reason;     // "CrashLoopBackOff: quickstart-ingress: pod ...".
  std::string failed_secrets;    // RolloutInput::secrets when it failed.
  std::string rolling_revision;  // The revision that is being rolled out; empty = nothing.
  // Wall clock, when this component's step began, and again when its stable workload is updated. 0
  // while the canary of an earlier attempt is still to go.
  std::int64_t rolling_since_ms = 0;
  std::string rolling_component;  // Object name; the step that runs. Empty = all have had theirs.
  bool rolling_promoted = false;  // The canary of this step has passed.
  // Since when components of the desired revision have been available without a break, by object
  // name: those that are to be recorded. Empty when nothing is.
  std::map<std::string, std::int64_t> available_since_ms;
  // Object names of components that have not been available for healthy_after yet although the spec
  // is recorded as the last good one.
  std::set<std::string> unproven;
  std::string
      force_check;  // The force-check annotation that was consumed last; its hash when it is long.
  friend bool operator==(const RolloutMemory&, const RolloutMemory&) = default;
};

// True when `annotation`, the value of the force-check annotation, was not consumed yet; it is from
// now on. A value that is removed and set again counts as the old one.
bool consume_force_check(const std::string& annotation, RolloutMemory& memory);

// Which rendering the stable workload is applied from. kLastGood of a component that the last good
// rendering does not have: its workload must not exist (not yet, or no more). kKeep: it stays as it
// is, because what runs there is in neither rendering (after an upgrade of the operator or a change
// of a Secret the last good spec renders differently).
enum class Target { kDesired, kLastGood, kKeep };
struct ComponentAction {
  render::ComponentId id;
  Target stable = Target::kDesired;
  bool canary = false;  // A canary of the desired revision must exist.
};

struct RolloutDecision {
  enum class Phase {
    kInstalling,     // First time.
    kRolling,        // Component by component.
    kProving,        // All settled; not yet good.
    kComplete,       // The desired revision runs and is the last good one.
    kRolledBack,     // The last good one runs in place of the desired one.
    kPausedFailure,  // on_failure: Pause; left as it is.
  } phase = Phase::kInstalling;
  // For each component of the desired rendering, in its order.
  std::vector<ComponentAction> actions;
  // Components that the desired rendering does not have any more may be deleted. While false, those
  // of the last good one stay, or come back.
  bool remove_others = false;
  RolloutMemory memory;
  bool record_last_good = false;  // The desired spec is to be stored as the last good one, now.
  // Object names of components whose present record stays when the desired spec is recorded.
  std::set<std::string> keep_recorded;
  bool just_failed = false;  // For the Event, once.
  // The recorded spec was deleted or cannot be read: there is nothing to go back to.
  bool record_is_lost = false;
  // CamelCase: "CanaryNotReady", "CrashLoopBackOff", "ProgressDeadlineExceeded"; of a rollout that
  // goes well "Installing", "CanaryStarting", "CanaryProving", "Promoting", "Proving", "Complete".
  std::string reason;
  std::string message;  // For people: component, pod, exit code, last log line; at most 512 bytes.
  // When time alone may change the decision; 0 = never.
  Duration requeue_after = std::chrono::seconds(0);
};

struct RolloutInput {
  const render::Rendering& desired;
  const render::Rendering* last_good = nullptr;  // Rendered from the recorded spec.
  const std::vector<ComponentView>& components;  // Same order as desired.components.
  RolloutMemory memory;
  api::Rollout rules;
  std::int64_t now_ms = 0;  // Wall clock.
  // Since when every change of the pods has been decided on; what was remembered before may have
  // missed some. 0 = always.
  std::int64_t observed_since_ms = 0;
  bool forced = false;  // Forget that this revision has failed.
  // Fingerprint of the Secrets' keys that are no part of the revision (render::reloaded_secrets):
  // a revision that has failed is tried again when it changes.
  std::string secrets = {};
  // How long the API server has refused an object of the desired revision, and its message; 0 = it
  // does not. After the progress deadline that is a failure of the revision.
  std::int64_t refused_for_ms = 0;
  std::string refusal = {};
  // Components that use a Secret that is missing or may not be read.
  std::set<render::ComponentId> blocked = {};
  // Exporters whose tables have not been migrated to their revision: they wait as `blocked` ones
  // do. By component: why the migrate Job has failed; "" = it has not ended.
  std::map<render::ComponentId, std::string> migrating = {};
  // /statusz reports by pod name; null = no pod was polled.
  const std::map<std::string, StatuszReport>* reports = nullptr;
};
RolloutDecision decide(const RolloutInput& input);

}  // namespace spanway::decide
