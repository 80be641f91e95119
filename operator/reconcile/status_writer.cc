#include "operator/reconcile/status_writer.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "operator/decide/wall_time.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kNoteBytesMax = 1000;
constexpr std::size_t kSharedWithMax = 256;

const Json* find_condition(const Json& status, std::string_view type) {
  const Json* all = kube::find(status, "conditions");
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Json& one : *all)
    if (kube::string_at(one, "type") == type) return &one;
  return nullptr;
}

struct FailedWrite {
  const std::string& message;
  bool repeats = false;
};

// The value of a condition because of a write that fails; nothing = as it was computed.
std::optional<const char*> value_of(std::string_view type, bool repeats, bool is_stalled) {
  if (type == "Degraded") return "True";
  // One refusal may pass: a webhook that restarts, a quota that grows.
  if (!repeats && is_stalled) return std::nullopt;
  if (type == "Stalled") return repeats ? "True" : "False";
  if (type == "Reconciling") return repeats ? "False" : "True";
  if (type == "Progressing" && repeats) return "False";
  return std::nullopt;
}

// The other conditions are about what runs, not about what could not be written.
void add_write_failure(Json& status, const Json& before, const FailedWrite& failure,
                       const std::string& now) {
  if (failure.message.empty() || !status.contains("conditions")) return;
  const Json* computed = find_condition(status, "Stalled");
  const bool is_stalled = computed != nullptr && kube::string_at(*computed, "status") == "True";
  for (Json& condition : status["conditions"]) {
    const std::string type = kube::string_at(condition, "type");
    const auto value = value_of(type, failure.repeats, is_stalled);
    if (!value) continue;
    const Json* stored = find_condition(before, type);
    // It may have been stored with this value, and computed with the other one just now.
    const bool was_so = stored != nullptr && kube::string_at(*stored, "status") == *value;
    if (was_so) {
      condition["lastTransitionTime"] = kube::string_at(*stored, "lastTransitionTime", now);
    } else if (condition["status"] != *value) {
      condition["lastTransitionTime"] = now;
    }
    const bool is_retried = type == "Stalled" && !failure.repeats;
    condition["status"] = *value;
    condition["reason"] = is_retried ? "Reconciling" : "ApplyFailed";
    condition["message"] = is_retried ? "a write that failed is tried again" : failure.message;
  }
}

std::vector<std::string> texts_of(const std::vector<kube::ObjectKey>& keys) {
  std::vector<std::string> out;
  for (const kube::ObjectKey& key : keys)
    if (out.size() < kSharedWithMax) out.push_back(key.text());
  return out;
}

// In seconds, as the API server stores times.
std::string time_text(SystemTime time) {
  return decide::wall_time_text(decide::unix_ms(time) / 1000 * 1000);
}

// Name -> message of the exporters that `degraded` is set for.
std::map<std::string, std::string> degraded_exporters(const Json& status) {
  std::map<std::string, std::string> out;
  const Json* list = kube::find(status, "exporters");
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& one : *list) {
    if (kube::find(one, "degraded") != nullptr)
      out[kube::string_at(one, "name")] = kube::string_at(one, "degraded/message");
  }
  return out;
}

// Neither paused nor taken out of the spec.
bool is_active(const Json& status, const std::string& exporter) {
  for (const Json& one : status["exporters"])
    if (kube::string_at(one, "name") == exporter) return kube::string_at(one, "state") != "Paused";
  return false;
}

}  // namespace

decide::StatusInput StatusWriter::input_of(const Stages& stages, const PipelineState& state) const {
  static const std::vector<decide::ComponentView> kNone;
  const Inputs& inputs = stages.inputs;
  decide::StatusInput out{
      .pipeline = inputs.pipeline,
      .problems = inputs.problems,
      .secret_problems = &inputs.secret_problems,
      .desired = stages.rendered == nullptr ? nullptr : &stages.rendered->desired(),
      .components = stages.observed == nullptr ? kNone : stages.observed->components,
      .rollout = stages.decided == nullptr ? nullptr : &stages.decided->rollout,
      .reports = {},
      .scaling = {},
      .topics = {},
      .paused = inputs.paused,
      .operator_version = inputs.facts.version.empty() ? deps_.facts.version : inputs.facts.version,
      .last_good_version = state.renderings.last_good_version(),
      .wall_now = time_text(inputs.wall_now),
      .config_reason = inputs.refusal_reason(),
      .topics_shared_with = texts_of(inputs.sharing.with),
      .other_operator = deps_.claim.refused(state)};
  if (stages.observed != nullptr) {
    out.reports = stages.observed->reports.by_pod;
    out.idle_autoscalers = stages.observed->idle_autoscalers;
    out.foreign_autoscalers = stages.observed->foreign_autoscalers;
    out.ingress_endpoints = stages.observed->ingress_endpoints;
  }
  if (stages.decided != nullptr) {
    out.scaling = stages.decided->scaling;
    out.topics = stages.decided->topics.view;
    for (const auto& [migrate, decision] : stages.decided->migrations)
      out.schemas.push_back(decision.view);
    out.schemas_are_held = !inputs.upgrade.empty() && inputs.is_spec_recorded;
    out.compactions = stages.decided->compactions;
  }
  return out;
}

Status StatusWriter::write(const Stages& stages, Json& pipeline, PipelineState& state) const {
  const kube::ObjectKey& key = stages.inputs.key;
  const Json& before = status_of(pipeline);
  const decide::StatusInput input = input_of(stages, state);
  Json status = make_status(input, before);
  add_write_failure(status, before, {state.failures.message(), state.failures.repeats()},
                    input.wall_now);
  // A status that is kept as it was has the old text.
  status.erase("upgrade");
  if (!stages.inputs.upgrade.empty()) status["upgrade"] = stages.inputs.upgrade;
  deps_.claim.claim(status);
  if (status == before) {
    state.rollout = decide::rollout_memory(status);
    return {};
  }
  const Json patch = {
      {"metadata", {{"resourceVersion", kube::string_at(pipeline, "metadata/resourceVersion")}}},
      {"status", kube::merge_difference(before, status)}};
  auto answer = deps_.client.merge_patch(kube::kPipelines, key, patch, "status");
  if (!answer.ok()) return std::move(answer).error();
  deps_.events.wrote("status", kube::kPipelines, key);
  Json after = project(kube::kPipelines, std::move(answer).value());
  record_condition_events(pipeline, before, status);
  record_degraded_events(pipeline, before, status);
  deps_.mutations.wrote(key, kube::kPipelines, key, after,
                        deps_.applier.stored(kube::kPipelines, key));
  pipeline = std::move(after);
  state.rollout = decide::rollout_memory(status_of(pipeline));
  return {};
}

Duration StatusWriter::requeue_after(const Stages& stages, const Json& pipeline,
                                     const PipelineState& state) const {
  return status_requeue_after(input_of(stages, state), status_of(pipeline));
}

void StatusWriter::record_condition_events(const Json& pipeline, const Json& before,
                                           const Json& after) const {
  struct Rule {
    const char* type;
    const char* bad;  // The value that deserves a warning.
  };
  static constexpr std::array kRules = {Rule{"ConfigValid", "False"},
                                        Rule{"Ready", "False"},
                                        Rule{"KafkaReachable", "False"},
                                        Rule{"TopicsReady", "False"},
                                        Rule{"ExportersHealthy", "False"},
                                        Rule{"ScalingLimited", "True"},
                                        Rule{"SchemaReady", "False"},
                                        Rule{"RetentionAtRisk", "True"},
                                        Rule{"Paused", ""}};
  for (const Rule& rule : kRules) {
    const Json* now = find_condition(after, rule.type);
    if (now == nullptr) continue;
    const Json* then = find_condition(before, rule.type);
    const std::string value = kube::string_at(*now, "status");
    if (then == nullptr ? value != rule.bad : kube::string_at(*then, "status") == value) continue;
    // A Pipeline that was created just now is not ready yet: no reason for a warning.
    if (then == nullptr && std::string_view(rule.type) == "Ready") continue;
    deps_.events.announce(
        pipeline, value == rule.bad, kube::string_at(*now, "reason"), "Observe",
        (std::string(rule.type) + "=" + value + ": " + kube::string_at(*now, "message"))
            .substr(0, kNoteBytesMax));
  }
}

void StatusWriter::record_degraded_events(const Json& pipeline, const Json& before,
                                          const Json& after) const {
  const auto degraded = degraded_exporters(after);
  const auto were = degraded_exporters(before);
  for (const auto& [name, message] : degraded) {
    if (were.contains(name)) continue;
    deps_.events.announce(pipeline, true, "DestinationDegraded", "Observe",
                          ("exporter " + name + ": " + message).substr(0, kNoteBytesMax));
  }
  for (const auto& [name, message] : were) {
    if (degraded.contains(name) || !is_active(after, name)) continue;
    deps_.events.announce(pipeline, false, "DestinationRecovered", "Observe",
                          "exporter " + name + ": the destination takes data again");
  }
  const std::string store = kube::string_at(after, "query/store");
  const bool was_away = kube::string_at(before, "query/store") == "Unreachable";
  if (store == "Unreachable" && !was_away)
    deps_.events.announce(
        pipeline, true, "StoreUnreachable", "Observe",
        ("query: " + kube::string_at(after, "query/message")).substr(0, kNoteBytesMax));
  if (store == "Reachable" && was_away)
    deps_.events.announce(pipeline, false, "StoreRecovered", "Observe",
                          "query: its store answers again");
}

void StatusWriter::record_ended_pods(const Stages& stages, PipelineState& state) const {
  std::set<std::string> ended;
  for (const Json& pod : stages.observed->pods) {
    if (kube::string_at(pod, "status/phase") != "Failed") continue;
    if (kube::find(pod, "metadata/labels/spanway.dev~1track") == nullptr) continue;
    std::string uid = kube::string_at(pod, "metadata/uid");
    if (!state.ended_pods.contains(uid))
      deps_.events.announce(stages.inputs.object, true, "PodFailed", "Observe",
                            decide::ending_of_pod(pod));
    ended.insert(std::move(uid));
  }
  state.ended_pods = std::move(ended);
}

void StatusWriter::record_rollout_events(const Stages& stages, const Json& pipeline) const {
  const decide::RolloutDecision& decision = stages.decided->rollout;
  const decide::RolloutMemory& now = decision.memory;
  const decide::RolloutMemory& then = stages.inputs.memory;
  if (decision.just_failed) {
    deps_.events.rolled_back(pipeline, decision.reason, decision.message);
    return;
  }
  if (decision.record_last_good && now.last_good_revision != then.last_good_revision) {
    deps_.events.announce(
        pipeline, false, "RolloutComplete", "Record",
        "revision " + stages.rendered->desired().revision +
            " stayed healthy and is the last good one now" +
            (decision.keep_recorded.empty() ? "" : ", but for components whose Secret is missing"));
    return;
  }
  if (!now.rolling_revision.empty() && now.rolling_revision != then.rolling_revision) {
    deps_.events.announce(
        pipeline, false, "RolloutStarted", "Roll",
        "revision " + now.rolling_revision +
            (then.last_good_revision.empty() ? " is installed"
                                             : " replaces " + then.last_good_revision));
    return;
  }
  if (!now.rolling_component.empty() && (now.rolling_component != then.rolling_component ||
                                         now.rolling_promoted != then.rolling_promoted)) {
    deps_.events.announce(pipeline, false,
                          now.rolling_promoted ? "ComponentPromoted" : "CanaryStarted", "Roll",
                          now.rolling_component + ": " + decision.message);
  }
}

}  // namespace spanway::reconcile
