#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/status_builder.h"

namespace spanway::decide {
namespace {

// The error of a bridge that cannot reach Kafka, as one word.
std::string kafka_reason(const std::string& error) {
  const auto says = [&error](const char* word) { return error.find(word) != std::string::npos; };
  if (says("uthenticat") || says("SASL")) return "KafkaAuthenticationFailed";
  if (says("SSL") || says("TLS") || says("ertificate")) return "KafkaTlsFailed";
  if (says("uthoriz")) return "KafkaAccessDenied";
  return "KafkaUnreachable";
}

std::string unhealthy_reason(const ExporterStatus& exporter) {
  if (exporter.state == "Degraded") return "CircuitOpen";
  if (exporter.error_reason == "Stalled") return "DestinationRefuses";
  if (exporter.error_reason == "NoAssignment") return "NoAssignment";
  return "DestinationUnreachable";
}

std::string unhealthy_words(const ExporterStatus& exporter) {
  const std::string degraded =
      exporter.degraded ? "degraded since " + exporter.degraded->since + ": " : "";
  if (exporter.state == "Degraded") return degraded + exporter.degraded->message;
  return degraded + (exporter.error_message.empty() ? "its destination cannot be reached"
                                                    : exporter.error_message);
}

}  // namespace

Condition StatusBuilder::config_valid() const {
  const bool is_refused = invalid();
  if (!is_refused && !lacks_secret())
    return yes("Valid", "the services accept their configuration");
  const auto& problems = (is_refused ? input_.problems : *input_.secret_problems).all();
  std::string message = problems.front().path.empty()
                            ? problems.front().message
                            : problems.front().path + ": " + problems.front().message;
  if (problems.size() > 1) {
    // The end of a long message is cut, so the count goes first.
    message = std::to_string(problems.size()) + " problems, the first: " + message;
  }
  return no(is_refused ? input_.config_reason : "SecretMissing", std::move(message));
}

Condition StatusBuilder::paused() const {
  if (!input_.paused) return no("NotPaused", "the operator acts on changes");
  return yes("Paused", std::string("spec.paused or the annotation ") + api::kPauseAnnotation +
                           " pauses reconciliation; running pods are not changed");
}

Condition StatusBuilder::kafka_reachable() const {
  bool has_reports = false;
  bool not_polled = false;
  bool silent = false;
  bool connecting = false;
  for (const ComponentView& view : input_.components) {
    if (view.id.role != Role::kBridge && view.id.role != Role::kConsumer) continue;
    bool answered = false;
    bool reachable = false;
    const PodView* witness = nullptr;
    std::string error;
    for (const PodView& pod : view.pods) {
      if (pod.deleting) continue;
      const auto report = input_.reports.find(pod.name);
      if (report == input_.reports.end()) {
        not_polled = true;
        continue;
      }
      if (!report->second.answered) {
        silent = true;
        continue;
      }
      answered = true;
      reachable = reachable || report->second.kafka_reachable;
      if (report->second.kafka_reachable || witness != nullptr) continue;
      // Never connected and nothing has failed: it has only just been started.
      if (report->second.ready != true && report->second.last_error.empty()) continue;
      witness = &pod;
      error = report->second.last_error.empty() ? report->second.reason : report->second.last_error;
    }
    has_reports = has_reports || answered;
    if (!answered || reachable) continue;
    if (witness == nullptr) {
      connecting = true;
      continue;
    }
    Condition condition =
        no(kafka_reason(error), name_of(view) + ": pod " + witness->name + ": " +
                                    (error.empty() ? "no broker answers" : error));
    // The text of a failing connection differs from try to try: keep the first one.
    const Json* stored = conditions_.stored("KafkaReachable");
    if (stored != nullptr &&
        conditions_.stored_status("KafkaReachable") == ConditionStatus::kFalse &&
        kube::string_at(*stored, "reason") == condition.reason) {
      condition.message = kube::string_at(*stored, "message");
    }
    return condition;
  }
  if (has_reports && !connecting) return yes("Reachable", "every bridge reaches its brokers");
  if (connecting || (not_polled && !silent)) {
    if (conditions_.stored("KafkaReachable") != nullptr) return stored_condition("KafkaReachable");
  }
  if (connecting) return unknown("Connecting", "the bridges are connecting to Kafka");
  return unknown("NoReports", "no bridge has answered yet");
}

std::string StatusBuilder::steady_message(std::string_view condition,
                                          const Obstacle& obstacle) const {
  if (const Json* stored = conditions_.stored(condition)) {
    std::string message = kube::string_at(*stored, "message");
    if (message.starts_with(obstacle.place) &&
        kube::string_at(*stored, "reason") == obstacle.reason)
      return message;
  }
  return obstacle.message();
}

// A consumer group that the user of Kafka may not join.
std::optional<Obstacle> StatusBuilder::denied_group() const {
  for (const ComponentView& view : input_.components) {
    if (view.id.role != Role::kConsumer) continue;
    auto obstacle = assignment_obstacle(input_.pipeline.name, view, input_.reports);
    if (obstacle && obstacle->blocks && obstacle->reason == "KafkaAccessDenied") return obstacle;
  }
  return std::nullopt;
}

Condition StatusBuilder::topics_ready() const {
  const TopicsView& view = input_.topics;
  const bool were_ready = conditions_.stored_status("TopicsReady") == ConditionStatus::kTrue;
  const bool job_decides =
      view.state == TopicsView::State::kFailed ||
      (view.state == TopicsView::State::kPending && conditions_.stored("TopicsReady") == nullptr);
  // A current report of the pods overrides an older one of the Job.
  if (topics_ && topics_->blocks && !job_decides)
    return no(topics_->reason, steady_message("TopicsReady", *topics_));
  switch (view.state) {
    case TopicsView::State::kUnmanaged:
      return yes("Unmanaged", "spec.kafka.topics.management is None: topics are not managed");
    case TopicsView::State::kPending:
      if (were_ready) {
        return yes("Updating", "the topics exist and are verified again");
      }
      return unknown("Pending",
                     view.message.empty() ? "the topics are being created" : view.message);
    case TopicsView::State::kReady:
      return yes(
          "Ready",
          "the topics Job has verified the topics, and the bridges, which compare them every "
          "5 min, report none that is weaker than the spec");
    case TopicsView::State::kWeak:
      return no("TopicsWeaker",
                view.message.empty() ? "a topic is weaker than the spec requires" : view.message);
    case TopicsView::State::kBlocked:
      // Topics that were there stay.
      if (were_ready) return yes("JobBlocked", view.message);
      return no("JobBlocked", view.message);
    case TopicsView::State::kFailed:
      break;
  }
  return no("TopicsFailed",
            view.message.empty() ? "the topics could not be created" : view.message);
}

Condition StatusBuilder::exporters_healthy() const {
  if (exporters_.empty()) return yes("NoExporters", "the Pipeline has no exporters");
  std::string silent;
  std::string unwell;
  std::string reason;
  for (const ExporterStatus& exporter : exporters_) {
    if (exporter.state == "Unknown") silent += (silent.empty() ? "" : ", ") + exporter.name;
    if (exporter.state != "Stalled" && exporter.state != "Degraded") continue;
    if (reason.empty()) reason = unhealthy_reason(exporter);
    unwell += (unwell.empty() ? "" : "; ") + std::string("exporter ") + exporter.name + ": " +
              unhealthy_words(exporter);
  }
  if (!unwell.empty()) return no(reason, unwell);
  if (!silent.empty()) return unknown("NoReports", "no pod answers for: " + silent);
  return yes("Delivering", "every exporter that is not paused delivers");
}

// A pod whose probe does not pass may report the cause itself. Its text may change from try to try:
// the first ones will do.
std::string StatusBuilder::with_words_of(const PodView& pod, const std::string& problem) const {
  if (pod.reason != "NotReady") return problem;
  const auto report = input_.reports.find(pod.name);
  if (report == input_.reports.end()) return problem;
  if (report->second.ready == true || report->second.reason.empty()) return problem;
  const std::string begin = problem + ": ";
  if (const Json* stored = conditions_.stored("Ready")) {
    std::string stored_message = kube::string_at(*stored, "message");
    if (stored_message.starts_with(begin)) return stored_message;
  }
  return begin + report->second.reason;
}

Condition StatusBuilder::ready(const Condition& kafka, const Condition& topics) const {
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    if (desired_replicas(i) == 0) {
      if (view.id.role == Role::kIngress || view.id.role == Role::kBridge)
        return no("ScaledToZero", name_of(view) + " has 0 replicas: nothing is received");
      continue;
    }
    const auto serves = [](const PodView& pod) { return pod.ready && !pod.deleting; };
    if (std::any_of(view.pods.begin(), view.pods.end(), serves)) continue;
    for (const PodView& pod : view.pods) {
      if (pod.deleting || pod.problem.empty()) continue;
      const bool trouble =
          is_in_trouble(pod, now_ms_) && pod.reason != "NotReady" && !pod.reason.empty();
      return no(trouble ? pod.reason : "ComponentNotReady",
                with_words_of(pod, name_of(view) + ": " + pod.problem));
    }
    if (!view.stable.problem.empty()) {
      return no("PodsRefused", name_of(view) + ": " + view.stable.problem);
    }
    if (!view.stable.exists && lacks_secret()) return no("SecretMissing", config_valid().message);
    if (!view.stable.exists && schema_of(view.id) != nullptr) {
      const Condition schema = *schema_ready();
      return no(schema.reason, schema.message);
    }
    return no("ComponentNotReady", name_of(view) + " has no ready pod");
  }
  if (input_.ingress_endpoints == 0 && ingress_is_desired())
    return no("NoEndpoints",
              "the Service of the ingress selects no ready pod: compare its selector "
              "with the labels of the pods");
  if (kafka.status == ConditionStatus::kFalse) return no(kafka.reason, kafka.message);
  if (topics.status != ConditionStatus::kTrue) {
    return no(topics.status == ConditionStatus::kFalse ? topics.reason : "TopicsPending",
              topics.message);
  }
  if (const auto denied = denied_group())
    return no(denied->reason, steady_message("Ready", *denied));
  if (next_hop_ && next_hop_->blocks)
    return no(next_hop_->reason, steady_message("Ready", *next_hop_));
  if (kafka.status == ConditionStatus::kUnknown) return unknown(kafka.reason, kafka.message);
  return yes("Running",
             "Kafka is reachable, topics can be written, the ingress reaches its next hop, every "
             "component that is not scaled to zero has a ready pod");
}

}  // namespace spanway::decide
