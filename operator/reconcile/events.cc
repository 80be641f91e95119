#include "operator/reconcile/events.h"

#include <array>
#include <utility>

namespace spanway::reconcile {
namespace {

using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kReconciliations = {"spanway_operator_reconciliations_total",
                                         MetricKind::kCounter,
                                         "Reconciliations of a Pipeline, by result (ok, failed). A "
                                         "failed one is requeued with back-off.",
                                         "result"};
constexpr MetricSpec kSeconds = {"spanway_operator_reconciliation_duration_seconds",
                                 MetricKind::kHistogram,
                                 "How long one reconciliation of a Pipeline took.", ""};
constexpr MetricSpec kWrites = {
    "spanway_operator_writes_total", MetricKind::kCounter,
    "Objects written: apply, delete, scale, status. Constant while nothing changes.", "verb"};
constexpr MetricSpec kDrifts = {"spanway_operator_drifts_total", MetricKind::kCounter,
                                "Changes of other clients to owned fields that were reverted.", ""};
constexpr MetricSpec kRollbacks = {"spanway_operator_rollbacks_total", MetricKind::kCounter,
                                   "Configurations that failed and were rolled back or stopped.",
                                   ""};
constexpr MetricSpec kPipelines = {"spanway_operator_pipelines", MetricKind::kGauge,
                                   "Pipelines that are reconciled.", ""};
constexpr MetricSpec kWaiting = {"spanway_operator_waiting_pipelines", MetricKind::kGauge,
                                 "Pipelines that wait for a worker.", ""};
constexpr MetricSpec kCachedObjects = {"spanway_operator_cached_objects", MetricKind::kGauge,
                                       "Objects in the caches.", ""};
constexpr MetricSpec kCachedBytes = {"spanway_operator_cached_bytes", MetricKind::kGauge,
                                     "Size of the cached objects as text.", ""};
constexpr std::array kSpecs = {kReconciliations, kSeconds, kWrites,        kDrifts,     kRollbacks,
                               kPipelines,       kWaiting, kCachedObjects, kCachedBytes};

std::string_view to_string(decide::RolloutDecision::Phase phase) {
  switch (phase) {
    case decide::RolloutDecision::Phase::kInstalling:
      return "Installing";
    case decide::RolloutDecision::Phase::kRolling:
      return "Rolling";
    case decide::RolloutDecision::Phase::kProving:
      return "Proving";
    case decide::RolloutDecision::Phase::kComplete:
      return "Complete";
    case decide::RolloutDecision::Phase::kRolledBack:
      return "RolledBack";
    case decide::RolloutDecision::Phase::kPausedFailure:
      break;
  }
  return "Failed";
}

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

Events::Events(telemetry::Telemetry telemetry, Announce announce)
    : log_(telemetry.log), announce_(std::move(announce)) {
  telemetry::Metrics& m = telemetry.metrics;
  reconciled_ok_ = m.counter(kReconciliations, {{"result", "ok"}});
  reconciled_failed_ = m.counter(kReconciliations, {{"result", "failed"}});
  seconds_ = m.histogram(kSeconds);
  applies_ = m.counter(kWrites, {{"verb", "apply"}});
  deletes_ = m.counter(kWrites, {{"verb", "delete"}});
  scales_ = m.counter(kWrites, {{"verb", "scale"}});
  statuses_ = m.counter(kWrites, {{"verb", "status"}});
  drifts_ = m.counter(kDrifts);
  rollbacks_ = m.counter(kRollbacks);
  pipelines_ = m.gauge(kPipelines);
  waiting_ = m.gauge(kWaiting);
  cached_objects_ = m.gauge(kCachedObjects);
  cached_bytes_ = m.gauge(kCachedBytes);
}

void Events::reconciled(const kube::ObjectKey& pipeline, Duration took) const {
  reconciled_ok_.add();
  seconds_.observe(seconds(took));
  log_.debug("Reconciled", {{"pipeline", pipeline.text()},
                            {"seconds", seconds(took)},
                            {"reconcile_id", ReconcileScope::current()}});
}

void Events::reconcile_failed(const kube::ObjectKey& pipeline, const Error& error,
                              Duration took) const {
  reconciled_failed_.add();
  seconds_.observe(seconds(took));
  log_.warn("Reconciliation failed, requeued with back-off",
            {{"pipeline", pipeline.text()},
             {"error", error.message},
             {"reconcile_id", ReconcileScope::current()}});
}

void Events::phase_changed(const kube::ObjectKey& pipeline, decide::RolloutDecision::Phase before,
                           const decide::RolloutDecision& decision) const {
  const decide::RolloutMemory& memory = decision.memory;
  log_.log(before == decision.phase ? telemetry::LogLevel::kDebug : telemetry::LogLevel::kInfo,
           "Rollout phase changed",
           {{"pipeline", pipeline.text()},
            {"from", to_string(before)},
            {"to", to_string(decision.phase)},
            {"reason", decision.reason},
            {"cause", decision.message},
            {"component", memory.rolling_component},
            {"revision",
             memory.rolling_revision.empty() ? memory.last_good_revision : memory.rolling_revision},
            {"reconcile_id", ReconcileScope::current()}});
}

void Events::wrote(std::string_view verb, const kube::ResourceType& type,
                   const kube::ObjectKey& key) const {
  (verb == "apply"    ? applies_
   : verb == "delete" ? deletes_
   : verb == "scale"  ? scales_
                      : statuses_)
      .add();
  log_.info("Wrote", {{"verb", verb},
                      {"kind", type.kind},
                      {"object", key.text()},
                      {"reconcile_id", ReconcileScope::current()}});
}

void Events::drift(const Json& pipeline, const kube::ResourceType& type, const kube::ObjectKey& key,
                   const std::string& field, const std::string& manager) const {
  drifts_.add();
  const std::string who = manager.empty() ? "an unknown client" : '"' + manager + '"';
  announce(pipeline, true, "DriftReverted", "Apply",
           std::string(type.kind) + " " + key.name + ": " + who + " has changed " + field +
               "; reverted. To keep it, set it in the Pipeline, or pause the Pipeline.");
}

void Events::contested(const Json& pipeline, const kube::ResourceType& type,
                       const kube::ObjectKey& key, Duration each) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(each).count();
  announce(pipeline, true, "DriftContested", "Apply",
           std::string(type.kind) + " " + key.name +
               ": another client changes it again and again (see the Events DriftReverted); it is "
               "put back at most every " +
               std::to_string(seconds) + " s until that client stops");
}

void Events::not_kept(const kube::ResourceType& type, const kube::ObjectKey& key,
                      const std::string& field) const {
  log_.warn("An admission webhook changed a field of an applied object; not applied again",
            {{"kind", type.kind},
             {"object", key.text()},
             {"field", field},
             {"reconcile_id", ReconcileScope::current()}});
}

void Events::rolled_back(const Json& pipeline, const std::string& reason,
                         const std::string& message) const {
  rollbacks_.add();
  announce(pipeline, true, reason.empty() ? "RolloutFailed" : reason, "Rollback", message);
}

void Events::scaled(const Json& pipeline, const std::string& name, std::int64_t from,
                    std::int64_t to, const std::string& why) const {
  announce(pipeline, false, "Scaled", "Scale",
           name + ": from " + std::to_string(from) + " to " + std::to_string(to) + " replicas" +
               (why.empty() ? "" : ": " + why));
}

void Events::announce(const Json& pipeline, bool is_warning, std::string reason, std::string action,
                      std::string note) const {
  log_.log(is_warning ? telemetry::LogLevel::kWarn : telemetry::LogLevel::kInfo, reason,
           {{"pipeline", kube::string_at(pipeline, "metadata/namespace") + "/" +
                             kube::string_at(pipeline, "metadata/name")},
            {"note", note},
            {"reconcile_id", ReconcileScope::current()}});
  if (!announce_) return;
  // Only what names the object: the rest would be copied for nothing.
  Json regarding = {{"apiVersion", pipeline.value("apiVersion", "spanway.dev/v1alpha1")},
                    {"kind", pipeline.value("kind", "Pipeline")},
                    {"metadata", Json::object()}};
  for (const char* name : {"name", "namespace", "uid", "resourceVersion"}) {
    const std::string value = kube::string_at(pipeline, std::string("metadata/") + name);
    if (!value.empty()) regarding["metadata"][name] = value;
  }
  announce_(
      {std::move(regarding), is_warning, std::move(reason), std::move(action), std::move(note)});
}

void Events::secret_failed(const kube::ObjectKey& secret, const Error& error) const {
  log_.limited(telemetry::LogLevel::kWarn, "secret_failed", "Secret could not be read",
               {{"secret", secret.text()},
                {"error", error.message},
                {"reconcile_id", ReconcileScope::current()}});
}

void Events::cached(std::size_t objects, std::size_t bytes) const {
  cached_objects_.set(static_cast<double>(objects));
  cached_bytes_.set(static_cast<double>(bytes));
}

}  // namespace spanway::reconcile
