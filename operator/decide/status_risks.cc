#include <utility>

#include "operator/decide/pod_health.h"
#include "operator/decide/status_builder.h"

namespace spanway::decide {
namespace {

// At risk from half of the retention on, until clearly below it.
constexpr double kRiskBegins = 0.5;
constexpr double kRiskEnds = 0.4;
constexpr char kForeignAutoscaler[] = "ForeignAutoscaler";

std::string contention(const std::string& workload, const std::string& autoscaler) {
  return "HorizontalPodAutoscaler " + autoscaler + " scales " + workload +
         ", whose replicas the operator sets: delete it, or use the autoscaling of the Pipeline";
}

}  // namespace

Condition StatusBuilder::degraded(const Condition& kafka, const Condition& topics,
                                  const Condition& exporters, const Condition& retention) const {
  std::string reason;
  std::string message;
  const auto add = [&](const std::string& why, const std::string& text) {
    if (reason.empty()) reason = why;
    message += (message.empty() ? "" : "; ") + text;
  };
  const RolloutDecision& rollout = *input_.rollout;
  if (const Condition config = config_valid(); config.status == ConditionStatus::kFalse)
    add(config.reason, config.message);
  if (rollout.phase == Phase::kRolledBack) add("RolledBack", rollout.message);
  if (rollout.phase == Phase::kPausedFailure) add("RolloutFailed", rollout.message);
  if (kafka.status == ConditionStatus::kFalse) add(kafka.reason, kafka.message);
  if (topics.status == ConditionStatus::kFalse || topics.reason == "JobBlocked")
    add(topics.reason, topics.message);
  if (const auto schema = schema_ready(); schema && schema->status == ConditionStatus::kFalse)
    add(schema->reason, schema->message);
  if (const std::string failed = failed_compactions(); !failed.empty())
    add("CompactionFailed", failed);
  for (const ComponentView& view : input_.components) {
    if (!view.stable.problem.empty())
      add("PodsRefused", name_of(view) + ": " + view.stable.problem);
    for (const PodView& pod : view.pods) {
      // A failing canary is reported by the rollout.
      if (pod.canary || !is_in_trouble(pod, now_ms_)) continue;
      add(pod.reason.empty() ? "PodNotReady" : pod.reason, name_of(view) + ": " + pod.problem);
      break;
    }
  }
  // Also when only some pods are affected. The condition keeps its own first text.
  if (topics_ && topics.status != ConditionStatus::kFalse)
    add(topics_->reason, topics_->place + "fails");
  if (const auto denied = denied_group()) add(denied->reason, denied->place + "access denied");
  if (next_hop_) add(next_hop_->reason, next_hop_->place + "connection failed");
  if (const auto old =
          certificate_obstacle(input_.pipeline.name, input_.components, input_.reports))
    add(old->reason, old->message());
  if (const auto old =
          credentials_obstacle(input_.pipeline.name, input_.components, input_.reports))
    add(old->reason, old->message());
  if (input_.topics.state == TopicsView::State::kUnmanaged) {
    for (const std::string& weakness : reported_weaknesses(input_.components, input_.reports))
      add("TopicsWeaker", weakness);
  }
  if (!input_.other_operator.empty())
    add("OtherOperator", "the operator of the Lease " + input_.other_operator +
                             " watches this Pipeline, too, and was refused: uninstall it, or give "
                             "the two releases different watch_namespaces");
  for (const auto& [workload, name] : input_.foreign_autoscalers)
    add(kForeignAutoscaler, contention(workload, name));
  if (exporters.status == ConditionStatus::kFalse) add(exporters.reason, exporters.message);
  if (query_ && query_->store == "Unreachable")
    add("StoreUnreachable",
        "the store of query is unreachable since " + query_->since + ": " + query_->message);
  if (retention.status == ConditionStatus::kTrue) add("RetentionAtRisk", retention.message);
  if (reason.empty()) return no("AsExpected", "nothing is wrong");
  return yes(std::move(reason), std::move(message));
}

Condition StatusBuilder::scaling_limited() const {
  std::string reason;
  std::string message;
  bool has_reports = true;
  for (const auto& [exporter, decision] : input_.scaling) {
    has_reports = has_reports && decision.reason != "NoReports";
    if (!decision.limited) continue;
    if (reason.empty()) reason = decision.reason;
    message += (message.empty() ? "" : "; ") + ("exporter " + exporter + ": ") + decision.message;
  }
  for (const auto& [name, why] : input_.idle_autoscalers) {
    const std::size_t colon = why.find(": ");
    if (reason.empty()) reason = why.substr(0, colon);
    message += (message.empty() ? "" : "; ") + ("HorizontalPodAutoscaler " + name) +
               " does not scale: " + (colon == std::string::npos ? why : why.substr(colon + 2));
  }
  for (const auto& [workload, name] : input_.foreign_autoscalers) {
    if (reason.empty()) reason = kForeignAutoscaler;
    message += (message.empty() ? "" : "; ") + contention(workload, name);
  }
  if (!reason.empty()) return yes(std::move(reason), std::move(message));
  if (!has_reports && conditions_.stored_status("ScalingLimited") != ConditionStatus::kFalse) {
    return unknown("NoReports", "not all consumers have reported their lag");
  }
  return no("NotLimited", "the number of consumers matches their lag");
}

Condition StatusBuilder::retention_at_risk() const {
  for (const ExporterStatus& exporter : exporters_) {
    if (!exporter.lost_records) continue;
    return yes("RecordsLost", "exporter " + exporter.name +
                                  ": Kafka deleted records before they were delivered (counted "
                                  "since the consumer's start); raise the retention or the number "
                                  "of consumers");
  }
  if (input_.pipeline.spec.kafka.topics.management == api::Topics::Management::kNone) {
    return unknown("RetentionUnknown",
                   "spec.kafka.topics.management is None: the retention of the topics is unknown");
  }
  const bool was = conditions_.stored_status("RetentionAtRisk") == ConditionStatus::kTrue;
  const double retention =
      std::chrono::duration<double>(input_.pipeline.spec.kafka.topics.retention).count();
  const double border = retention * (was ? kRiskEnds : kRiskBegins);
  bool has_reports = exporters_.empty();
  for (const ExporterStatus& exporter : exporters_) {
    if (!exporter.lag_seconds) continue;
    has_reports = true;
    if (retention > 0 && *exporter.lag_seconds > border) {
      const auto hours = static_cast<std::int64_t>(retention / 3600);
      return yes("LagNearRetention",
                 "exporter " + exporter.name + " lags by about half of what Kafka keeps or more (" +
                     std::to_string(hours) + "h): records will be lost unless the lag shrinks");
    }
  }
  // Keep the last reported value until a consumer reports again.
  if (!has_reports) {
    if (was) return stored_condition("RetentionAtRisk");
    if (conditions_.stored_status("RetentionAtRisk") == ConditionStatus::kUnknown) {
      return unknown("NoReports", "no consumer has reported its lag yet");
    }
  }
  return no("LagWithinRetention", "no exporter lags by half of what Kafka keeps");
}

}  // namespace spanway::decide
