#include "operator/decide/status.h"

#include <algorithm>

#include "operator/decide/conditions.h"
#include "operator/decide/exporter_status.h"
#include "operator/decide/pod_health.h"
#include "operator/decide/traffic.h"
#include "operator/decide/wall_time.h"

namespace spanway::reconcile {
namespace {

using Phase = RolloutDecision::Phase;
using render::Role;

constexpr std::size_t kReasonBytesMax = 512;

// At risk from half of the retention on, until clearly below it.
constexpr double kRiskBegins = 0.5;
constexpr double kRiskEnds = 0.4;

Verdict yes(std::string reason, std::string message) {
  return {Truth::kTrue, std::move(reason), std::move(message)};
}
Verdict no(std::string reason, std::string message) {
  return {Truth::kFalse, std::move(reason), std::move(message)};
}
Verdict unknown(std::string reason, std::string message) {
  return {Truth::kUnknown, std::move(reason), std::move(message)};
}

constexpr char kForeignAutoscaler[] = "ForeignAutoscaler";

std::string contention(const std::string& workload, const std::string& autoscaler) {
  return "HorizontalPodAutoscaler " + autoscaler + " scales " + workload +
         ", whose replicas the operator sets: delete it, or use the autoscaling of the Pipeline";
}

// Puts together one status.
class StatusMaker {
 public:
  StatusMaker(const StatusInput& input, const Json& before)
      : input_(input),
        before_(before.is_object() ? before : empty_),
        conditions_(before_, input.pipeline.generation, input.wall_now) {
    const auto now = parse_wall_time(input.wall_now);
    now_ms_ = now ? unix_ms(*now) : 0;
  }

  // Nothing can be observed: the Pipeline is paused or wrong, and was never installed.
  Json kept();
  Json full();

 private:
  std::string name_of(const ComponentView& view) const {
    return render::object_name(input_.pipeline.name, view.id);
  }
  std::int64_t desired(std::size_t index) const;

  // What was told last; the condition must be stored.
  Verdict stored_verdict(std::string_view type) const {
    const Json& stored = *conditions_.stored(type);
    return {conditions_.stored_truth(type), kube::string_at(stored, "reason"),
            kube::string_at(stored, "message")};
  }
  // Words of the same failure differ from try to try: those of the stored condition stay while it
  // is about the same place.
  std::string steady_message(std::string_view condition, const Obstacle& obstacle) const;
  std::optional<Obstacle> denied_group() const;
  Verdict config_valid() const;
  Verdict paused() const;
  Verdict kafka_reachable() const;
  Verdict topics_ready() const;
  Verdict exporters_healthy() const;
  Verdict ready(const Verdict& kafka, const Verdict& topics) const;
  std::string with_words_of(const PodView& pod, const std::string& problem) const;
  Verdict progressing() const;
  Verdict reconciling() const;
  Verdict stalled() const;
  // The workloads have reached what this generation asks for, or had before.
  const ComponentView* first_scaling() const;
  std::int64_t ready_generation() const;
  std::string running_version() const;
  bool invalid() const { return !input_.problems.empty(); }
  bool lacks_secret() const {
    return input_.secret_problems != nullptr && !input_.secret_problems->empty();
  }
  Verdict rolled_back() const;
  bool ingress_is_wanted() const {
    for (std::size_t i = 0; i < input_.components.size(); ++i)
      if (input_.components[i].id.role == render::Role::kIngress) return desired(i) > 0;
    return false;
  }
  // The first time of all, and something is wrong with it.
  bool install_fails() const {
    return input_.rollout->phase == Phase::kInstalling && input_.rollout->reason != "Installing";
  }
  Verdict degraded(const Verdict& kafka, const Verdict& topics, const Verdict& exporters,
                   const Verdict& retention) const;
  Verdict scaling_limited() const;
  Verdict retention_at_risk() const;

  void add_components(Json& status) const;
  void add_config(Json& status) const;
  void add_summary(Json& status) const;
  void add_scale(Json& status) const;
  std::string config_word() const;

  const Json empty_ = Json::object();
  const StatusInput& input_;
  const Json& before_;
  Conditions conditions_;
  std::vector<ExporterStatus> exporters_;
  std::optional<Obstacle> next_hop_;
  std::optional<Obstacle> topics_;
  std::int64_t now_ms_ = 0;
};

Json StatusMaker::kept() {
  const bool is_refused = invalid();
  Json status = before_;
  status["observedGeneration"] = input_.pipeline.generation;
  status["version"] = kube::string_at(before_, "version", input_.operator_version);
  const Verdict nothing =
      is_refused
          ? no(input_.config_reason, "nothing has been made of it: the configuration is refused")
          : unknown("Paused", "reconciliation is paused");
  conditions_.keep("Ready", nothing);
  conditions_.set("Progressing", no(nothing.reason, "what runs stays as it is"));
  const Verdict not_seen = unknown(nothing.reason, "not looked at yet");
  // Who pauses stops the check too.
  if (is_refused) {
    conditions_.set("ConfigValid", config_valid());
  } else {
    conditions_.keep("ConfigValid", not_seen);
  }
  for (const char* type : {"KafkaReachable", "TopicsReady", "ExportersHealthy"}) {
    conditions_.keep(type, not_seen);
  }
  if (is_refused) {
    conditions_.set("Degraded", yes(input_.config_reason, config_valid().message));
  } else {
    conditions_.keep("Degraded", not_seen);
  }
  for (const char* type : {"RolledBack", "ScalingLimited", "RetentionAtRisk"}) {
    conditions_.keep(type, not_seen);
  }
  conditions_.set("Paused", paused());
  conditions_.set("Reconciling", no(nothing.reason, nothing.message));
  conditions_.set("Stalled", is_refused ? yes(input_.config_reason, config_valid().message)
                                        : no("Paused", "reconciliation is paused"));
  status["conditions"] = conditions_.take();
  const Json* summary = kube::find(before_, "summary");
  status["summary"] = summary != nullptr && summary->is_object()
                          ? *summary
                          : Json{{"ingress", "0/0"}, {"exporters", "0/0"}, {"lag", ""}};
  status["summary"]["config"] = config_word();
  return status;
}

Json StatusMaker::full() {
  exporters_ = look_at_exporters(input_, before_);
  next_hop_ = next_hop_obstacle(input_.pipeline.name, input_.components, input_.reports);
  topics_ = topics_obstacle(input_.pipeline.name, input_.components, input_.reports);
  const Verdict kafka = kafka_reachable();
  const Verdict topics = topics_ready();
  const Verdict exporters = exporters_healthy();
  const Verdict retention = retention_at_risk();

  Json status = {{"observedGeneration", input_.pipeline.generation},
                 {"version", running_version()}};
  conditions_.set("Ready", ready(kafka, topics), ready_generation());
  conditions_.set("Progressing", progressing());
  conditions_.set("ConfigValid", config_valid());
  conditions_.set("KafkaReachable", kafka);
  conditions_.set("TopicsReady", topics);
  conditions_.set("ExportersHealthy", exporters);
  conditions_.set("Degraded", degraded(kafka, topics, exporters, retention));
  conditions_.set("RolledBack", rolled_back());
  conditions_.set("ScalingLimited", scaling_limited());
  conditions_.set("RetentionAtRisk", retention);
  conditions_.set("Paused", paused());
  conditions_.set("Reconciling", reconciling());
  conditions_.set("Stalled", stalled());
  status["conditions"] = conditions_.take();

  add_components(status);
  status["exporters"] = Json::array();
  for (const ExporterStatus& exporter : exporters_) {
    status["exporters"].push_back(to_json(exporter));
  }
  status["topics"] = input_.topics.topics.is_array() ? input_.topics.topics : Json::array();
  if (!input_.topics_shared_with.empty()) status["topicsSharedWith"] = input_.topics_shared_with;
  add_config(status);
  add_summary(status);
  add_scale(status);
  return status;
}

// ---- Conditions ---------------------------------------------------------------------------------

Verdict StatusMaker::config_valid() const {
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

Verdict StatusMaker::paused() const {
  if (!input_.paused) return no("NotPaused", "the operator acts on changes");
  return yes("Paused", std::string("spec.paused or the annotation ") + api::kPauseAnnotation +
                           " stops the operator; what runs goes on");
}

// What keeps a bridge from Kafka, as one word.
std::string kafka_reason(const std::string& error) {
  const auto says = [&error](const char* word) { return error.find(word) != std::string::npos; };
  if (says("uthenticat") || says("SASL")) return "KafkaAuthenticationFailed";
  if (says("SSL") || says("TLS") || says("ertificate")) return "KafkaTlsFailed";
  if (says("uthoriz")) return "KafkaAccessDenied";
  return "KafkaUnreachable";
}

Verdict StatusMaker::kafka_reachable() const {
  bool heard = false;
  bool unasked = false;
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
        unasked = true;
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
    heard = heard || answered;
    if (!answered || reachable) continue;
    if (witness == nullptr) {
      connecting = true;
      continue;
    }
    Verdict verdict = no(kafka_reason(error), name_of(view) + ": pod " + witness->name + ": " +
                                                  (error.empty() ? "no broker answers" : error));
    // The words of a connection that fails differ from try to try; the first ones will do.
    const Json* stored = conditions_.stored("KafkaReachable");
    if (stored != nullptr && conditions_.stored_truth("KafkaReachable") == Truth::kFalse &&
        kube::string_at(*stored, "reason") == verdict.reason) {
      verdict.message = kube::string_at(*stored, "message");
    }
    return verdict;
  }
  if (heard && !connecting) return yes("Reachable", "every bridge reaches its brokers");
  if (connecting || (unasked && !silent)) {
    if (conditions_.stored("KafkaReachable") != nullptr) return stored_verdict("KafkaReachable");
  }
  if (connecting) return unknown("Connecting", "the bridges are connecting to Kafka");
  return unknown("NoReports", "no bridge has answered yet");
}

std::string StatusMaker::steady_message(std::string_view condition,
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
std::optional<Obstacle> StatusMaker::denied_group() const {
  for (const ComponentView& view : input_.components) {
    if (view.id.role != Role::kConsumer) continue;
    auto obstacle = assignment_obstacle(input_.pipeline.name, view, input_.reports);
    if (obstacle && obstacle->blocks && obstacle->reason == "KafkaAccessDenied") return obstacle;
  }
  return std::nullopt;
}

Verdict StatusMaker::topics_ready() const {
  const TopicsView& view = input_.topics;
  const bool were_ready = conditions_.stored_truth("TopicsReady") == Truth::kTrue;
  const bool job_decides =
      view.state == TopicsView::State::kFailed ||
      (view.state == TopicsView::State::kPending && conditions_.stored("TopicsReady") == nullptr);
  // What the pods report now counts for more than what a Job has found some time ago.
  if (topics_ && topics_->blocks && !job_decides)
    return no(topics_->reason, steady_message("TopicsReady", *topics_));
  switch (view.state) {
    case TopicsView::State::kUnmanaged:
      return yes("Unmanaged", "spec.kafka.topics.management is None: topics are not looked at");
    case TopicsView::State::kPending:
      if (were_ready) {
        return yes("Updating", "the topics are there and are looked at again");
      }
      return unknown("Pending", view.message.empty() ? "the topics are being made" : view.message);
    case TopicsView::State::kReady:
      return yes("Ready", "the topics are as wanted");
    case TopicsView::State::kWeak:
      return no("TopicsWeaker",
                view.message.empty() ? "a topic promises less than wanted" : view.message);
    case TopicsView::State::kBlocked:
      // Topics that were there stay.
      if (were_ready) return yes("JobBlocked", view.message);
      return no("JobBlocked", view.message);
    case TopicsView::State::kFailed:
      break;
  }
  return no("TopicsFailed", view.message.empty() ? "the topics could not be made" : view.message);
}

Verdict StatusMaker::exporters_healthy() const {
  if (exporters_.empty()) return yes("NoExporters", "there is none");
  std::string silent;
  std::string unwell;
  std::string reason;
  for (const ExporterStatus& exporter : exporters_) {
    if (exporter.state == "Unknown") silent += (silent.empty() ? "" : ", ") + exporter.name;
    if (exporter.state != "Stalled") continue;
    if (reason.empty()) {
      reason = exporter.error_reason == "Stalled"        ? "DestinationRefuses"
               : exporter.error_reason == "NoAssignment" ? "NoAssignment"
                                                         : "DestinationUnreachable";
    }
    unwell += (unwell.empty() ? "" : "; ") + std::string("exporter ") + exporter.name + ": " +
              (exporter.error_message.empty() ? "nothing gets through to its destination"
                                              : exporter.error_message);
  }
  if (!unwell.empty()) return no(reason, unwell);
  if (!silent.empty()) return unknown("NoReports", "no pod answers of: " + silent);
  return yes("Delivering", "every exporter that is not paused delivers");
}

// A pod whose probe does not pass may say itself why not. Its words may change from try to try: the
// first ones will do.
std::string StatusMaker::with_words_of(const PodView& pod, const std::string& problem) const {
  if (pod.reason != "NotReady") return problem;
  const auto report = input_.reports.find(pod.name);
  if (report == input_.reports.end()) return problem;
  if (report->second.ready == true || report->second.reason.empty()) return problem;
  const std::string begin = problem + ": ";
  if (const Json* stored = conditions_.stored("Ready")) {
    std::string told = kube::string_at(*stored, "message");
    if (told.starts_with(begin)) return told;
  }
  return begin + report->second.reason;
}

Verdict StatusMaker::ready(const Verdict& kafka, const Verdict& topics) const {
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    if (desired(i) == 0) {
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
    return no("ComponentNotReady", name_of(view) + " has no ready pod");
  }
  if (input_.ingress_endpoints == 0 && ingress_is_wanted())
    return no("NoEndpoints",
              "the Service of the ingress selects no ready pod: compare its selector "
              "with the labels of the pods");
  if (kafka.truth == Truth::kFalse) return no(kafka.reason, kafka.message);
  if (topics.truth != Truth::kTrue) {
    return no(topics.truth == Truth::kFalse ? topics.reason : "TopicsPending", topics.message);
  }
  if (const auto denied = denied_group())
    return no(denied->reason, steady_message("Ready", *denied));
  if (next_hop_ && next_hop_->blocks)
    return no(next_hop_->reason, steady_message("Ready", *next_hop_));
  if (kafka.truth == Truth::kUnknown) return unknown(kafka.reason, kafka.message);
  return yes("Running",
             "Kafka is reachable, topics can be written, the ingress reaches its next hop, every "
             "component that is not scaled to zero has a ready pod");
}

Verdict StatusMaker::progressing() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "what runs stays as it is");
  if (invalid())
    return no(input_.config_reason,
              "the spec is refused; the last good one is reconciled in its place");
  switch (rollout.phase) {
    case Phase::kInstalling:
      if (install_fails()) return no(rollout.reason, rollout.message);
      return yes("Installing", rollout.message);
    case Phase::kRolling:
      return yes(rollout.reason, rollout.message);
    case Phase::kProving:
      return yes("Proving", rollout.message);
    case Phase::kComplete:
      return no("Complete", rollout.message);
    case Phase::kPausedFailure:
      return no("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      break;
  }
  for (const ComponentView& view : input_.components) {
    if (view.stable.exists && !view.stable.settled) {
      return yes("RollingBack", name_of(view) + ": goes back to the last good revision");
    }
  }
  return no("RolledBack", "the last good revision runs");
}

const ComponentView* StatusMaker::first_scaling() const {
  if (input_.wanted == nullptr) return nullptr;
  const Json* ready = conditions_.stored("Ready");
  const bool was_there = ready != nullptr &&
                         kube::int_at(*ready, "observedGeneration") >= input_.pipeline.generation &&
                         conditions_.stored_truth("Reconciling") == Truth::kFalse;
  if (was_there) return nullptr;
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const render::Component& wanted = input_.wanted->components.at(i);
    const ComponentView& view = input_.components[i];
    if (wanted.replicas_elsewhere || !view.stable.exists) continue;
    if (view.stable.replicas != wanted.replicas || !view.stable.settled) return &view;
  }
  return nullptr;
}

// Whether a change is on its way, as kstatus has it.
Verdict StatusMaker::reconciling() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "reconciliation is paused");
  if (invalid()) return no(input_.config_reason, "the spec is refused");
  const bool waits = rollout.reason == "SecretMissing";
  switch (rollout.phase) {
    case Phase::kInstalling:
      if (install_fails() && !waits) return no(rollout.reason, rollout.message);
      return yes(rollout.reason, rollout.message);
    case Phase::kRolling:
    case Phase::kProving:
      return yes(rollout.reason, rollout.message);
    case Phase::kComplete:
      if (const ComponentView* view = first_scaling(); view != nullptr)
        return yes("Scaling", name_of(*view) + ": its pods are not yet as many as wanted");
      return no("Complete", rollout.message);
    case Phase::kPausedFailure:
      return no("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      break;
  }
  return progressing();
}

// Whether nothing will come of this generation unless it is changed, as kstatus has it.
Verdict StatusMaker::stalled() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (input_.paused) return no("Paused", "reconciliation is paused");
  if (invalid()) return yes(input_.config_reason, config_valid().message);
  if (reconciling().truth == Truth::kTrue) return no("Reconciling", "a change is on its way");
  switch (rollout.phase) {
    case Phase::kInstalling:
      return yes(rollout.reason, rollout.message);
    case Phase::kPausedFailure:
      return yes("RolloutFailed", rollout.message);
    case Phase::kRolledBack:
      return yes("RolledBack", rolled_back().message);
    case Phase::kRolling:
    case Phase::kProving:
    case Phase::kComplete:
      break;
  }
  return no("NotStalled", "nothing stands in the way of this generation");
}

// Ready is about what runs: a change that is not through is not ready at its generation.
std::int64_t StatusMaker::ready_generation() const {
  const std::int64_t generation = input_.pipeline.generation;
  const Json* stored = conditions_.stored("Ready");
  const bool is_through = input_.rollout->phase == Phase::kComplete && !invalid() &&
                          !input_.paused && first_scaling() == nullptr;
  if (stored == nullptr || is_through) return generation;
  return std::min(generation, kube::int_at(*stored, "observedGeneration", generation));
}

// What most pods run. While a change is rolled out that is the last good one.
std::string StatusMaker::running_version() const {
  const Phase phase = input_.rollout->phase;
  const bool wanted_runs =
      phase == Phase::kComplete || phase == Phase::kProving || phase == Phase::kInstalling;
  if (wanted_runs && !input_.paused) return input_.operator_version;
  return input_.last_good_version.empty()
             ? kube::string_at(before_, "version", input_.operator_version)
             : input_.last_good_version;
}

Verdict StatusMaker::rolled_back() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (install_fails()) {
    return no("NothingToGoBackTo", (rollout.memory.last_good_revision.empty()
                                        ? "no revision has been healthy yet: "
                                        : "no revision of this component has been healthy yet: ") +
                                       rollout.message);
  }
  if (rollout.phase != Phase::kRolledBack) return no("NotRolledBack", "nothing was rolled back");
  return yes(rollout.reason.empty() ? "RolloutFailed" : rollout.reason,
             "revision " + rollout.memory.failed_revision + " failed, " +
                 rollout.memory.last_good_revision + " is back: " + rollout.message);
}

Verdict StatusMaker::degraded(const Verdict& kafka, const Verdict& topics, const Verdict& exporters,
                              const Verdict& retention) const {
  std::string reason;
  std::string message;
  const auto add = [&](const std::string& why, const std::string& text) {
    if (reason.empty()) reason = why;
    message += (message.empty() ? "" : "; ") + text;
  };
  const RolloutDecision& rollout = *input_.rollout;
  if (const Verdict config = config_valid(); config.truth == Truth::kFalse)
    add(config.reason, config.message);
  if (rollout.phase == Phase::kRolledBack) add("RolledBack", rollout.message);
  if (rollout.phase == Phase::kPausedFailure) add("RolloutFailed", rollout.message);
  if (kafka.truth == Truth::kFalse) add(kafka.reason, kafka.message);
  if (topics.truth == Truth::kFalse || topics.reason == "JobBlocked")
    add(topics.reason, topics.message);
  for (const ComponentView& view : input_.components) {
    if (!view.stable.problem.empty())
      add("PodsRefused", name_of(view) + ": " + view.stable.problem);
    for (const PodView& pod : view.pods) {
      // A canary in trouble harms nobody; it is part of the rollout's story.
      if (pod.canary || !is_in_trouble(pod, now_ms_)) continue;
      add(pod.reason.empty() ? "PodNotReady" : pod.reason, name_of(view) + ": " + pod.problem);
      break;
    }
  }
  // Also when only some pods are affected. The condition's own first words stay.
  if (topics_ && topics.truth != Truth::kFalse) add(topics_->reason, topics_->place + "fails");
  if (const auto denied = denied_group()) add(denied->reason, denied->place + "access denied");
  if (next_hop_) add(next_hop_->reason, next_hop_->place + "connection failed");
  if (const auto old =
          certificate_obstacle(input_.pipeline.name, input_.components, input_.reports))
    add(old->reason, old->message());
  if (input_.topics.state == TopicsView::State::kUnmanaged) {
    for (const std::string& weakness : reported_weaknesses(input_.components, input_.reports))
      add("TopicsWeaker", weakness);
  }
  for (const auto& [workload, name] : input_.foreign_autoscalers)
    add(kForeignAutoscaler, contention(workload, name));
  if (exporters.truth == Truth::kFalse) add(exporters.reason, exporters.message);
  if (retention.truth == Truth::kTrue) add("RetentionAtRisk", retention.message);
  if (reason.empty()) return no("AsWanted", "nothing is wrong");
  return yes(std::move(reason), std::move(message));
}

Verdict StatusMaker::scaling_limited() const {
  std::string reason;
  std::string message;
  bool heard = true;
  for (const auto& [exporter, decision] : input_.scaling) {
    heard = heard && decision.reason != "NoReports";
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
  if (!heard && conditions_.stored_truth("ScalingLimited") != Truth::kFalse) {
    return unknown("NoReports", "not all consumers have told their lag");
  }
  return no("NotLimited", "there are as many consumers as their lag asks for");
}

Verdict StatusMaker::retention_at_risk() const {
  for (const ExporterStatus& exporter : exporters_) {
    if (!exporter.lost_records) continue;
    return yes("RecordsLost", "exporter " + exporter.name +
                                  ": Kafka deleted records before they were delivered (counted "
                                  "since the consumer's start); raise the retention or the number "
                                  "of consumers");
  }
  if (input_.pipeline.spec.kafka.topics.management == api::Topics::Management::kNone) {
    return unknown("RetentionUnknown",
                   "the topics are somebody else's: nobody says what they keep");
  }
  const bool was = conditions_.stored_truth("RetentionAtRisk") == Truth::kTrue;
  const double retention =
      std::chrono::duration<double>(input_.pipeline.spec.kafka.topics.retention).count();
  const double border = retention * (was ? kRiskEnds : kRiskBegins);
  bool heard = exporters_.empty();
  for (const ExporterStatus& exporter : exporters_) {
    if (!exporter.lag_seconds) continue;
    heard = true;
    if (retention > 0 && *exporter.lag_seconds > border) {
      const auto hours = static_cast<std::int64_t>(retention / 3600);
      return yes("LagNearRetention",
                 "exporter " + exporter.name + " lags by about half of what Kafka keeps or more (" +
                     std::to_string(hours) + "h): records will be lost when it goes on");
    }
  }
  // While nobody tells, what was told last stands.
  if (!heard) {
    if (was) return stored_verdict("RetentionAtRisk");
    if (conditions_.stored_truth("RetentionAtRisk") == Truth::kUnknown) {
      return unknown("NoReports", "no consumer has told its lag yet");
    }
  }
  return no("LagWithinRetention", "no exporter lags by half of what Kafka keeps");
}

// ---- The rest -----------------------------------------------------------------------------------

std::int64_t StatusMaker::desired(std::size_t index) const {
  const ComponentView& view = input_.components[index];
  if (view.stable.exists) return view.stable.replicas;
  if (input_.wanted == nullptr || index >= input_.wanted->components.size()) return 1;
  return input_.wanted->components[index].replicas;
}

void StatusMaker::add_components(Json& status) const {
  Json list = Json::array();
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    const PodView* restarted = nullptr;
    for (const PodView& pod : view.pods) {
      if (pod.last_restart_reason.empty()) continue;
      if (restarted == nullptr || pod.last_restart > restarted->last_restart) restarted = &pod;
    }
    Json component = {{"name", name_of(view)},          {"role", render::to_string(view.id.role)},
                      {"desired", desired(i)},          {"ready", view.stable.ready},
                      {"updated", view.stable.updated}, {"revision", view.stable.revision}};
    if (!view.id.exporter.empty()) component["exporter"] = view.id.exporter;
    if (restarted != nullptr) component["lastRestartReason"] = restarted->last_restart_reason;
    list.push_back(std::move(component));
  }
  status["components"] = std::move(list);
}

void StatusMaker::add_config(Json& status) const {
  // Nothing is decided while it is paused.
  if (input_.paused) {
    const Json* stored = kube::find(before_, "config");
    status["config"] = stored != nullptr && stored->is_object() ? *stored : Json::object();
    return;
  }
  const RolloutMemory& memory = input_.rollout->memory;
  Json config = Json::object();
  const auto add = [&config](const char* key, const std::string& value) {
    if (!value.empty()) config[key] = value;
  };
  const std::string wanted = input_.wanted == nullptr ? "" : input_.wanted->revision;
  const Phase phase = input_.rollout->phase;
  const bool wanted_runs =
      phase == Phase::kComplete || phase == Phase::kProving || phase == Phase::kInstalling;
  // A spec that is refused has none.
  if (!invalid()) add("desiredRevision", wanted);
  add("activeRevision", wanted_runs ? wanted : memory.last_good_revision);
  add("lastGoodRevision", memory.last_good_revision);
  add("failedRevision", memory.failed_revision);
  add("failedReason", memory.failed_reason);
  add("rollingRevision", memory.rolling_revision);
  add("rollingComponent", memory.rolling_component);
  if (memory.rolling_promoted) config["rollingPromoted"] = true;
  if (memory.rolling_since_ms != 0) config["rollingSince"] = memory.rolling_since_ms;
  for (const auto& [name, since] : memory.available_since_ms)
    config["availableSince"][name] = since;
  for (const std::string& name : memory.unproven) config["unproven"].push_back(name);
  add("forceCheck", memory.force_check);
  status["config"] = std::move(config);
}

std::string StatusMaker::config_word() const {
  if (!input_.problems.empty()) return "Invalid";
  if (input_.paused) return "Paused";
  if (input_.rollout == nullptr) return "Unknown";
  switch (input_.rollout->phase) {
    case Phase::kInstalling:
      return install_fails() ? "Failed" : "Installing";
    case Phase::kRolling:
      return "Rolling";
    case Phase::kProving:
      return "Proving";
    case Phase::kComplete:
      return "Active";
    case Phase::kRolledBack:
      return "RolledBack";
    case Phase::kPausedFailure:
      break;
  }
  return "Failed";
}

void StatusMaker::add_summary(Json& status) const {
  std::string ingress = "0/0";
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    if (view.id.role != Role::kIngress) continue;
    ingress = std::to_string(view.stable.ready) + "/" + std::to_string(desired(i));
  }
  std::size_t well = 0;
  std::string lag;
  for (const ExporterStatus& exporter : exporters_) {
    well += exporter.state == "Running" || exporter.state == "Paused" ? 1 : 0;
    if (bucket_rank(exporter.lag) > bucket_rank(lag)) lag = exporter.lag;
  }
  status["summary"] = {
      {"ingress", ingress},
      {"exporters", std::to_string(well) + "/" + std::to_string(exporters_.size())},
      {"lag", lag},
      {"config", config_word()}};
}

// For the scale subresource: the ingress.
void StatusMaker::add_scale(Json& status) const {
  status["replicas"] = 0;
  for (const ComponentView& view : input_.components) {
    if (view.id.role == Role::kIngress) status["replicas"] = view.stable.replicas;
  }
  std::string selector;
  if (input_.wanted != nullptr) {
    for (const render::Component& component : input_.wanted->components) {
      if (component.id.role != Role::kIngress) continue;
      const Json* labels = kube::find(component.workload.object, "spec/selector/matchLabels");
      if (labels == nullptr || !labels->is_object()) continue;
      for (const auto& [key, value] : labels->items()) {
        selector += (selector.empty() ? "" : ",") + key + "=" +
                    (value.is_string() ? value.get<std::string>() : "");
      }
    }
  }
  status["selector"] = selector.empty() ? kube::string_at(before_, "selector") : selector;
}

}  // namespace

Json make_status(const StatusInput& input, const Json& before) {
  StatusMaker maker(input, before);
  return input.rollout == nullptr ? maker.kept() : maker.full();
}

Duration status_look_again(const StatusInput& input, const Json& status) {
  const auto now = parse_wall_time(input.wall_now);
  if (input.rollout == nullptr || !now) return Duration::zero();
  StatusInput later = input;
  later.wall_now = wall_time_text(unix_ms(*now + kStatusMoveMin));
  Json exporters = Json::array();
  for (const ExporterStatus& exporter : look_at_exporters(later, status)) {
    exporters.push_back(to_json(exporter));
  }
  const Json* told = kube::find(status, "exporters");
  return told != nullptr && exporters == *told ? Duration::zero() : kStatusMoveMin;
}

RolloutMemory rollout_memory(const Json& status) {
  const auto text = [&status](const char* key) {
    return kube::string_at(status, std::string("config/") + key);
  };
  const auto time = [&status](const char* key) {
    return std::max<std::int64_t>(0, kube::int_at(status, std::string("config/") + key));
  };
  RolloutMemory memory;
  memory.last_good_revision = text("lastGoodRevision");
  memory.failed_revision = text("failedRevision");
  memory.failed_reason = one_line(text("failedReason"), kReasonBytesMax);
  memory.rolling_revision = text("rollingRevision");
  memory.rolling_component = text("rollingComponent");
  memory.rolling_promoted = kube::bool_at(status, "config/rollingPromoted");
  memory.rolling_since_ms = time("rollingSince");
  if (const Json* since = kube::find(status, "config/availableSince");
      since != nullptr && since->is_object()) {
    for (const auto& [name, ms] : since->items())
      if (ms.is_number_integer())
        memory.available_since_ms[name] = std::max<std::int64_t>(0, ms.get<std::int64_t>());
  }
  if (const Json* list = kube::find(status, "config/unproven");
      list != nullptr && list->is_array()) {
    for (const Json& name : *list)
      if (name.is_string()) memory.unproven.insert(name.get<std::string>());
  }
  memory.force_check = text("forceCheck");
  return memory;
}

}  // namespace spanway::reconcile
