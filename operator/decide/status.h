// The Pipeline's status from the observed state and the decisions: pure. It does not change while
// nothing happens, so that a quiet cluster has no writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/decide/lag_scaler.h"
#include "operator/decide/observation.h"
#include "operator/decide/rollout.h"
#include "operator/decide/statusz_report.h"
#include "services/lib/config/binder.h"

namespace spanway::decide {

struct TopicsView {
  // As `topics apply` has reported it. kBlocked: the pod of the topics Job cannot start.
  enum class State {
    kUnmanaged,
    kPending,
    kReady,
    kWeak,
    kFailed,
    kBlocked
  } state = State::kUnmanaged;
  std::string message = {};
  // List of {name, partitions, replicationFactor, minInsyncReplicas, state, message}; the last but
  // one may be missing, and what is not known.
  Json topics = {};
};

// The tables of one ClickHouse exporter, as its migrate Job has left them.
struct SchemaView {
  std::string exporter;
  // kBlocked: the pod of the Job cannot start. kHeld: the Job must not be started yet.
  enum class State { kPending, kReady, kFailed, kBlocked, kHeld } state = State::kPending;
  std::string message = {};
};
// The last run of one S3 exporter's `compact`.
struct CompactionView {
  std::string exporter;
  enum class State { kWaiting, kSucceeded, kFailed } state = State::kWaiting;
  std::string message = {};
};

struct StatusInput {
  const api::Pipeline& pipeline;
  const config::Problems&
      problems;  // Found by the reader and check_configs; not empty = ConfigValid=False.
  // Secrets that are missing or may not be read; null = none.
  const config::Problems* secret_problems = nullptr;
  // The reconciled rendering: the spec, or the last good one when there are problems. Null when
  // there is neither.
  const render::Rendering* desired = nullptr;
  const std::vector<ComponentView>& components;
  const RolloutDecision* rollout = nullptr;          // Null = nothing can be observed.
  std::map<std::string, StatuszReport> reports;      // By pod.
  std::map<std::string, LagScalerDecision> scaling;  // By exporter.
  TopicsView topics;
  std::vector<SchemaView> schemas = {};  // Those that the operator migrates.
  bool schemas_are_held = false;         // They are not decided on: an upgrade waits.
  std::vector<CompactionView> compactions = {};
  std::map<std::string, std::string> idle_autoscalers = {};  // By name: why they do not scale.
  // Not managed by the operator, by the workload ("<kind>/<name>") whose replicas it sets as well.
  std::map<std::string, std::string> foreign_autoscalers = {};
  bool paused = false;
  std::string operator_version;  // The version of `desired`.
  std::string last_good_version =
      {};                // The version of the operator that recorded the last good spec.
  std::string wall_now;  // RFC 3339, for lastTransitionTime.
  std::string config_reason =
      "ConfigInvalid";  // The reason of every condition that a refused spec decides.
  // "namespace/name" of the Pipelines that share topics with this one; all of them agree.
  std::vector<std::string> topics_shared_with = {};
  // The Lease of another release of the operator that tried to work on this Pipeline; "" = none.
  std::string other_operator = {};
  // Ready pods that the live Service of the ingress selects; nothing = not known.
  std::optional<std::int64_t> ingress_endpoints = {};
};

// The complete `status` object. `before` is the stored one: a condition whose status stays
// keeps its lastTransitionTime; the lag bucket moves at most every 30 s. Conditions: Ready,
// Progressing, ConfigValid, KafkaReachable, TopicsReady, ExportersHealthy, Degraded, RolledBack,
// ScalingLimited, RetentionAtRisk, Paused, Reconciling, Stalled, and SchemaReady where a migrate
// Job is desired, each with observedGeneration, a CamelCase reason and one sentence. Ready = Kafka
// is reachable, topics are right and every component has a ready pod of the active revision, as the
// pods report it now: topics that can be written, an ingress that reaches its next hop, groups that
// may be joined; a dead destination is Degraded and ExportersHealthy=False only. Reconciling and
// Stalled are those of kstatus (sigs.k8s.io/cli-utils): a change that is being rolled out, scaled
// or taken back; a spec that is refused or was taken back, an install that fails. Ready is about
// the generation that runs: it keeps its observedGeneration until a change is through. String
// fields for the printer columns: summary.{ingress,exporters,lag,config}.
Json make_status(const StatusInput& input, const Json& before);
// Lag and errors of exporters change in the status at most this often.
inline constexpr Duration kStatusMoveMin = std::chrono::seconds(30);
// A value that was written at `since` may change again; also when the clock was set back meanwhile.
bool may_move(const std::string& since, const std::string& wall_now);
// The delay after which make_status() returns another status for the same input, because `status`,
// its last result, still holds back a change; 0 = it does not.
Duration status_requeue_after(const StatusInput& input, const Json& status);

// Kept in status.config.
RolloutMemory rollout_memory(const Json& status);

}  // namespace spanway::decide
