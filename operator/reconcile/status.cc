#include "operator/reconcile/status.h"

#include <algorithm>

#include "operator/reconcile/conditions.h"
#include "operator/reconcile/exporter_status.h"
#include "operator/reconcile/pod_health.h"
#include "operator/reconcile/wall_time.h"

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

  // Nothing was looked at: the Pipeline is paused or wrong, and what runs stays as it is.
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
  Verdict config_valid() const;
  Verdict paused() const;
  Verdict kafka_reachable() const;
  Verdict topics_ready() const;
  Verdict exporters_healthy() const;
  Verdict ready(const Verdict& kafka, const Verdict& topics) const;
  std::string with_words_of(const PodView& pod, const std::string& problem) const;
  Verdict progressing() const;
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
  std::int64_t now_ms_ = 0;
};

Json StatusMaker::kept() {
  const bool invalid = !input_.problems.empty();
  Json status = before_;
  status["observedGeneration"] = input_.pipeline.generation;
  status["version"] = kube::string_at(before_, "version", input_.operator_version);
  const Verdict nothing =
      invalid ? no("ConfigInvalid", "nothing has been made of it: the configuration is refused")
              : unknown("Paused", "reconciliation is paused");
  conditions_.keep("Ready", nothing);
  conditions_.set("Progressing",
                  no(invalid ? "ConfigInvalid" : "Paused", "what runs stays as it is"));
  const Verdict not_seen = unknown(nothing.reason, "not looked at yet");
  // Who pauses stops the check too.
  if (invalid) {
    conditions_.set("ConfigValid", config_valid());
  } else {
    conditions_.keep("ConfigValid", not_seen);
  }
  for (const char* type : {"KafkaReachable", "TopicsReady", "ExportersHealthy"}) {
    conditions_.keep(type, not_seen);
  }
  if (invalid) {
    conditions_.set("Degraded", yes("ConfigInvalid", config_valid().message));
  } else {
    conditions_.keep("Degraded", not_seen);
  }
  for (const char* type : {"RolledBack", "ScalingLimited", "RetentionAtRisk"}) {
    conditions_.keep(type, not_seen);
  }
  conditions_.set("Paused", paused());
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
  const Verdict kafka = kafka_reachable();
  const Verdict topics = topics_ready();
  const Verdict exporters = exporters_healthy();
  const Verdict retention = retention_at_risk();

  Json status = {{"observedGeneration", input_.pipeline.generation},
                 {"version", input_.operator_version}};
  conditions_.set("Ready", ready(kafka, topics));
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
  const auto& problems = input_.problems.all();
  if (problems.empty()) return yes("Valid", "the services accept their configuration");
  std::string message = problems.front().path.empty()
                            ? problems.front().message
                            : problems.front().path + ": " + problems.front().message;
  if (problems.size() > 1) {
    // The end of a long message is cut, so the count goes first.
    message = std::to_string(problems.size()) + " problems, the first: " + message;
  }
  return no(input_.config_reason, std::move(message));
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
      if (!report->second.ready && report->second.last_error.empty()) continue;
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

Verdict StatusMaker::topics_ready() const {
  const TopicsView& view = input_.topics;
  switch (view.state) {
    case TopicsView::State::kUnmanaged:
      return yes("Unmanaged", "spec.kafka.topics.management is None: topics are not looked at");
    case TopicsView::State::kPending:
      if (conditions_.stored_truth("TopicsReady") == Truth::kTrue) {
        return yes("Updating", "the topics are there and are looked at again");
      }
      return unknown("Pending", view.message.empty() ? "the topics are being made" : view.message);
    case TopicsView::State::kReady:
      return yes("Ready", "the topics are as wanted");
    case TopicsView::State::kWeak:
      return no("TopicsWeaker",
                view.message.empty() ? "a topic promises less than wanted" : view.message);
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
      reason = exporter.error_reason == "Stalled" ? "DestinationRefuses" : "DestinationUnreachable";
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
  if (report->second.ready || report->second.reason.empty()) return problem;
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
    if (desired(i) == 0) continue;
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
  if (kafka.truth == Truth::kUnknown) return unknown(kafka.reason, kafka.message);
  return yes("Running", "Kafka is reachable, topics are right, every component has a ready pod");
}

Verdict StatusMaker::progressing() const {
  const RolloutDecision& rollout = *input_.rollout;
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

Verdict StatusMaker::rolled_back() const {
  const RolloutDecision& rollout = *input_.rollout;
  if (install_fails()) {
    return no("NothingToGoBackTo", "no revision has been healthy yet: " + rollout.message);
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
  if (rollout.phase == Phase::kRolledBack) add("RolledBack", rollout.message);
  if (rollout.phase == Phase::kPausedFailure) add("RolloutFailed", rollout.message);
  if (kafka.truth == Truth::kFalse) add(kafka.reason, kafka.message);
  if (topics.truth == Truth::kFalse) add(topics.reason, topics.message);
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
  if (!reason.empty()) return yes(std::move(reason), std::move(message));
  if (!heard && conditions_.stored_truth("ScalingLimited") != Truth::kFalse) {
    return unknown("NoReports", "not all consumers have told their lag");
  }
  return no("NotLimited", "there are as many consumers as their lag asks for");
}

Verdict StatusMaker::retention_at_risk() const {
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
  const RolloutMemory& memory = input_.rollout->memory;
  Json config = Json::object();
  const auto add = [&config](const char* key, const std::string& value) {
    if (!value.empty()) config[key] = value;
  };
  const std::string wanted = input_.wanted == nullptr ? "" : input_.wanted->revision;
  const Phase phase = input_.rollout->phase;
  const bool wanted_runs =
      phase == Phase::kComplete || phase == Phase::kProving || phase == Phase::kInstalling;
  add("desiredRevision", wanted);
  add("activeRevision", wanted_runs ? wanted : memory.last_good_revision);
  add("lastGoodRevision", memory.last_good_revision);
  add("failedRevision", memory.failed_revision);
  add("failedReason", memory.failed_reason);
  add("rollingRevision", memory.rolling_revision);
  add("rollingComponent", memory.rolling_component);
  if (memory.rolling_promoted) config["rollingPromoted"] = true;
  if (memory.rolling_since_ms != 0) config["rollingSince"] = memory.rolling_since_ms;
  if (memory.healthy_since_ms != 0) config["healthySince"] = memory.healthy_since_ms;
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
  return input.rollout == nullptr || !input.problems.empty() ? maker.kept() : maker.full();
}

Duration status_look_again(const StatusInput& input, const Json& status) {
  const auto now = parse_wall_time(input.wall_now);
  if (input.rollout == nullptr || !input.problems.empty() || !now) return Duration::zero();
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
  memory.healthy_since_ms = time("healthySince");
  memory.force_check = text("forceCheck");
  return memory;
}

}  // namespace spanway::reconcile
