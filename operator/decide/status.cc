#include "operator/decide/status.h"

#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/query_status.h"
#include "operator/decide/status_builder.h"

namespace spanway::decide {
namespace {

constexpr std::size_t kReasonBytesMax = 512;

}  // namespace

Json StatusBuilder::kept() {
  const bool is_refused = invalid();
  Json status = before_;
  status["observedGeneration"] = input_.pipeline.generation;
  status["version"] = kube::string_at(before_, "version", input_.operator_version);
  const Condition nothing =
      is_refused
          ? no(input_.config_reason, "configuration rejected; nothing was created or changed")
          : unknown("Paused", "reconciliation is paused");
  conditions_.keep("Ready", nothing);
  conditions_.set("Progressing", no(nothing.reason, "running workloads are kept"));
  const Condition not_observed = unknown(nothing.reason, "not observed yet");
  // A paused Pipeline is not checked.
  if (is_refused) {
    conditions_.set("ConfigValid", config_valid());
  } else {
    conditions_.keep("ConfigValid", not_observed);
  }
  for (const char* type : {"KafkaReachable", "TopicsReady", "ExportersHealthy"}) {
    conditions_.keep(type, not_observed);
  }
  if (is_refused) {
    conditions_.set("Degraded", yes(input_.config_reason, config_valid().message));
  } else {
    conditions_.keep("Degraded", not_observed);
  }
  for (const char* type : {"RolledBack", "ScalingLimited", "RetentionAtRisk"}) {
    conditions_.keep(type, not_observed);
  }
  if (conditions_.stored("SchemaReady") != nullptr) conditions_.keep("SchemaReady", not_observed);
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

Json StatusBuilder::full() {
  exporters_ = observe_exporters(input_, before_);
  query_ = observe_query(input_, before_);
  next_hop_ = next_hop_obstacle(input_.pipeline.name, input_.components, input_.reports);
  topics_ = topics_obstacle(input_.pipeline.name, input_.components, input_.reports);
  const Condition kafka = kafka_reachable();
  const Condition topics = topics_ready();
  const Condition exporters = exporters_healthy();
  const Condition retention = retention_at_risk();

  Json status = {{"observedGeneration", input_.pipeline.generation},
                 {"version", running_version()}};
  conditions_.set("Ready", ready(kafka, topics), ready_generation());
  conditions_.set("Progressing", progressing());
  conditions_.set("ConfigValid", config_valid());
  conditions_.set("KafkaReachable", kafka);
  conditions_.set("TopicsReady", topics);
  conditions_.set("ExportersHealthy", exporters);
  if (auto schema = schema_ready()) conditions_.set("SchemaReady", std::move(*schema));
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
  if (query_) status["query"] = to_json(*query_);
  status["topics"] = input_.topics.topics.is_array() ? input_.topics.topics : Json::array();
  if (!input_.topics_shared_with.empty()) status["topicsSharedWith"] = input_.topics_shared_with;
  add_storage(status);
  add_config(status);
  add_summary(status);
  add_scale(status);
  return status;
}

std::int64_t StatusBuilder::desired_replicas(std::size_t index) const {
  const ComponentView& view = input_.components[index];
  if (view.stable.exists) return view.stable.replicas;
  if (input_.desired == nullptr || index >= input_.desired->components.size()) return 1;
  return input_.desired->components[index].replicas;
}

void StatusBuilder::add_components(Json& status) const {
  Json list = Json::array();
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    const PodView* restarted = nullptr;
    for (const PodView& pod : view.pods) {
      if (pod.last_restart_reason.empty()) continue;
      if (restarted == nullptr || pod.last_restart > restarted->last_restart) restarted = &pod;
    }
    Json component = {{"name", name_of(view)},          {"role", render::to_string(view.id.role)},
                      {"desired", desired_replicas(i)}, {"ready", view.stable.ready},
                      {"updated", view.stable.updated}, {"revision", view.stable.revision}};
    if (!view.id.exporter.empty()) component["exporter"] = view.id.exporter;
    if (restarted != nullptr) component["lastRestartReason"] = restarted->last_restart_reason;
    list.push_back(std::move(component));
  }
  status["components"] = std::move(list);
}

void StatusBuilder::add_config(Json& status) const {
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
  const std::string desired = input_.desired == nullptr ? "" : input_.desired->revision;
  const Phase phase = input_.rollout->phase;
  const bool desired_runs =
      phase == Phase::kComplete || phase == Phase::kProving || phase == Phase::kInstalling;
  // A spec that is refused has none.
  if (!invalid()) add("desiredRevision", desired);
  add("activeRevision", desired_runs ? desired : memory.last_good_revision);
  add("lastGoodRevision", memory.last_good_revision);
  add("failedRevision", memory.failed_revision);
  add("failedReason", memory.failed_reason);
  add("failedSecrets", memory.failed_secrets);
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

std::string StatusBuilder::config_word() const {
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

void StatusBuilder::add_summary(Json& status) const {
  std::string ingress = "0/0";
  for (std::size_t i = 0; i < input_.components.size(); ++i) {
    const ComponentView& view = input_.components[i];
    if (view.id.role != Role::kIngress) continue;
    ingress = std::to_string(view.stable.ready) + "/" + std::to_string(desired_replicas(i));
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
void StatusBuilder::add_scale(Json& status) const {
  status["replicas"] = 0;
  for (const ComponentView& view : input_.components) {
    if (view.id.role == Role::kIngress) status["replicas"] = view.stable.replicas;
  }
  std::string selector;
  if (input_.desired != nullptr) {
    for (const render::Component& component : input_.desired->components) {
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

Json make_status(const StatusInput& input, const Json& before) {
  StatusBuilder maker(input, before);
  return input.rollout == nullptr ? maker.kept() : maker.full();
}

bool may_move(const std::string& since, const std::string& wall_now) {
  const auto then = parse_wall_time(since);
  const auto now = parse_wall_time(wall_now);
  return !then || !now || *now - *then >= kStatusMoveMin || *now < *then;
}

Duration status_requeue_after(const StatusInput& input, const Json& status) {
  const auto now = parse_wall_time(input.wall_now);
  if (input.rollout == nullptr || !now) return Duration::zero();
  StatusInput later = input;
  later.wall_now = wall_time_text(unix_ms(*now + kStatusMoveMin));
  Json exporters = Json::array();
  for (const ExporterStatus& exporter : observe_exporters(later, status)) {
    exporters.push_back(to_json(exporter));
  }
  const auto query = observe_query(later, status);
  const Json* stored_query = kube::find(status, "query");
  const bool query_is_same =
      query ? stored_query != nullptr && to_json(*query) == *stored_query : stored_query == nullptr;
  const Json* stored = kube::find(status, "exporters");
  const bool is_same = stored != nullptr && exporters == *stored && query_is_same;
  return is_same ? Duration::zero() : kStatusMoveMin;
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
  memory.failed_secrets = text("failedSecrets");
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

}  // namespace spanway::decide
