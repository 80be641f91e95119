#include "operator/reconcile/pipeline_inputs.h"

#include <algorithm>
#include <utility>

#include "operator/api/declaration.h"
#include "operator/decide/status.h"
#include "services/lib/config/scalar.h"

namespace spanway::reconcile {
namespace {

// Keeps a Pipeline at the version of the operator that its last good revision was rendered by.
constexpr char kHoldVersionAnnotation[] = "spanway.dev/hold-version";

std::string annotation(const api::Pipeline& pipeline, const char* name) {
  const auto found = pipeline.annotations.find(name);
  return found == pipeline.annotations.end() ? "" : found->second;
}

// Where the spec names this Secret: "spec.kafka.tls.caSecretName".
std::string place_of_secret(const Json& value, const std::string& path, const std::string& name) {
  if (value.is_string()) return value == name ? path : "";
  if (!value.is_structured()) return "";
  for (const auto& [key, inner] : value.items()) {
    std::string step = "." + key;
    if (value.is_array()) {
      const std::string item = kube::string_at(inner, "name");
      step = "[" + (item.empty() ? key : item) + "]";
    }
    const bool names_secrets = path.find("ecret") != std::string::npos ||
                               step.find("ecret") != std::string::npos ||
                               path.ends_with(".password");
    if (inner.is_string() && !names_secrets) continue;
    if (auto found = place_of_secret(inner, path + step, name); !found.empty()) return found;
  }
  return "";
}

// Where the spec names this key of the Secret; "" where the name alone says which keys are mounted.
std::string place_of_key(const Json& value, const std::string& path, const std::string& secret,
                         const std::string& key) {
  if (!value.is_structured()) return "";
  if (value.is_object() && kube::string_at(value, "name") == secret &&
      kube::string_at(value, "key") == key)
    return path + ".key";
  for (const auto& [step, inner] : value.items()) {
    const std::string item = value.is_array() ? kube::string_at(inner, "name") : "";
    const std::string place =
        value.is_array() ? "[" + (item.empty() ? step : item) + "]" : "." + step;
    if (auto found = place_of_key(inner, path + place, secret, key); !found.empty()) return found;
  }
  return "";
}

// Everything that rendering depends on, except what stays the same while the operator runs. The
// version is that of the last good revision while an upgrade waits.
std::string fingerprint_of(const Json& pipeline, const render::ClusterFacts& facts,
                           const std::string& last_good_version) {
  Json inputs = {{"version", facts.version},
                 {"image", facts.image_repository},
                 {"metadata", pipeline.value("metadata", Json::object())},
                 {"spec", pipeline.value("spec", Json::object())},
                 {"secrets", facts.secret_identities},
                 {"lastGood", last_good_version}};
  inputs["metadata"].erase("resourceVersion");
  return kube::fingerprint(inputs);
}

std::string retentions_of(const TopicClaims::Sharing& sharing) {
  return config::format_duration(sharing.retention) +
         config::format_duration(sharing.dead_letter_retention);
}

}  // namespace

Result<Inputs> InputReader::read(const kube::ObjectKey& key, Json object, SystemTime wall_now,
                                 PipelineState& state) const {
  Inputs inputs;
  inputs.key = key;
  inputs.object = std::move(object);
  inputs.status = status_of(inputs.object);
  inputs.effective = inputs.object;
  inputs.pipeline = api::read(inputs.object, inputs.problems);
  inputs.memory = state.rollout ? *state.rollout : decide::rollout_memory(inputs.status);
  inputs.wall_now = wall_now;
  inputs.observed_since = state.observed_since.value_or(wall_now);
  // Restored when the status is written: what a failed reconciliation observed is lost.
  state.observed_since.reset();
  inputs.paused = is_paused(inputs.object);
  SPANWAY_TRY(check(inputs, state));
  if (!inputs.problems.empty()) fall_back(inputs);
  return inputs;
}

Status InputReader::check(Inputs& inputs, PipelineState& state) const {
  inputs.last_good_version = deps_.applier.version(kube::kConfigMaps, last_good_key(inputs.key));
  if (!inputs.problems.empty()) return {};
  check_topics(inputs);
  SPANWAY_TRY(check_secrets(inputs));
  if (!inputs.paused) choose_version(inputs, state);
  inputs.fingerprint = fingerprint_of(inputs.object, inputs.facts, inputs.last_good_version) +
                       retentions_of(inputs.sharing);
  // Unchanged inputs have passed before.
  if (inputs.problems.empty() && state.renderings.is_of(inputs.fingerprint)) return {};

  read_last_good_once(inputs);
  if (inputs.last_good)
    api::check_transition(inputs.last_good->pipeline, inputs.pipeline, inputs.problems);
  check_configs(inputs, state);
  return {};
}

// Refuses topics of another Pipeline; shared topics get the longest retention of those that share
// them.
void InputReader::check_topics(Inputs& inputs) const {
  std::set<kube::ObjectKey> changed;
  inputs.sharing = deps_.claims.sharing_of(inputs.key, changed);
  for (const kube::ObjectKey& other : changed) deps_.enqueue(other);
  api::Topics& topics = inputs.pipeline.spec.kafka.topics;
  if (inputs.sharing.with.empty()) {
    inputs.sharing.retention = topics.retention;
    inputs.sharing.dead_letter_retention = topics.dead_letter_retention;
  }
  topics.retention = std::max(topics.retention, inputs.sharing.retention);
  topics.dead_letter_retention =
      std::max(topics.dead_letter_retention, inputs.sharing.dead_letter_retention);
  if (!inputs.sharing.taken_by) return;
  inputs.problems.add("spec.kafka.topics",
                      "the topic " + inputs.sharing.taken_topic +
                          " of these brokers is that of the Pipeline " +
                          inputs.sharing.taken_by->text() +
                          ": each would deliver the other's data. Set spec.kafka.topics.prefix, or "
                          "spec.kafka.topics.shared: true in both");
}

// A missing Secret or key blocks the components that use it, no others.
Status InputReader::check_secrets(Inputs& inputs) const {
  SPANWAY_ASSIGN(const SecretsPoller::Found secrets,
                 deps_.secrets.resolve(inputs.key, render::referenced_secrets(inputs.pipeline)));
  inputs.facts = facts_;
  inputs.facts.secret_identities = secrets.identities;
  const Json spec = inputs.object.value("spec", Json::object());
  const auto add = [&](const std::string& name, const std::string& message,
                       const std::string& key = "") {
    std::string place = key.empty() ? "" : place_of_key(spec, "spec", name, key);
    if (place.empty()) place = place_of_secret(spec, "spec", name);
    inputs.secret_problems.add(place.empty() ? "spec" : place, message);
    std::set<std::string>& keys = inputs.missing_secrets[name];
    if (!key.empty()) keys.insert(key);
  };
  for (const auto& [name, keys] : render::referenced_keys(inputs.pipeline)) {
    const auto found = secrets.identities.find(name);
    if (found == secrets.identities.end()) continue;
    for (const std::string& key : keys)
      if (!has_key(found->second, key))
        add(name,
            "Secret \"" + name + "\" in namespace " + inputs.key.name_space + " has no key \"" +
                key + "\"",
            key);
  }
  for (const std::string& name : secrets.missing)
    add(name, "there is no Secret \"" + name + "\" in namespace " + inputs.key.name_space);
  for (const auto& [name, message] : secrets.refused)
    add(name, "Secret \"" + name + "\" may not be read: " + message);
  if (inputs.missing_secrets.empty()) return {};
  inputs.blocked = render::components_with(inputs.pipeline, inputs.missing_secrets);
  keep_identities(inputs);
  return {};
}

// Running pods were rendered with the identity of what is gone: with it their revision does not
// change.
void InputReader::keep_identities(Inputs& inputs) const {
  read_last_good_once(inputs);
  if (!inputs.last_good) return;
  for (const auto& [name, identity] : inputs.last_good->facts.secret_identities) {
    const auto missing = inputs.missing_secrets.find(name);
    if (missing == inputs.missing_secrets.end()) continue;
    std::string& now = inputs.facts.secret_identities[name];
    now = missing->second.empty() ? identity
                                  : with_keys_of(std::move(now), identity, missing->second);
  }
}

// Loading every component's file is most of the cost of a reconciliation with unchanged inputs. The
// result depends on the spec alone, so a spec that has passed is not loaded again.
void InputReader::check_configs(Inputs& inputs, PipelineState& state) const {
  const std::string spec = inputs.pipeline.uid + "/" + std::to_string(inputs.pipeline.generation);
  if (inputs.pipeline.generation > 0 && state.checked_spec == spec) return;
  const std::size_t before = inputs.problems.all().size();
  render::check_configs(inputs.pipeline, facts_, inputs.problems);
  state.checked_spec = inputs.problems.all().size() == before ? spec : "";
}

// A new version of the operator, or another repository of its image, renders other pods. They are
// rolled out when the pacer admits them; until then those of the last good revision are rendered.
void InputReader::choose_version(Inputs& inputs, PipelineState& state) const {
  if (state.recorded_at != inputs.last_good_version) {
    state.recorded =
        read_recorded(deps_.applier.live(kube::kConfigMaps, last_good_key(inputs.key)));
    state.recorded_at = inputs.last_good_version;
  }
  const std::optional<RecordedVersion>& recorded = state.recorded;
  const bool is_moved = recorded && inputs.pipeline.spec.image.repository.empty() &&
                        !recorded->image_repository.empty() &&
                        recorded->image_repository != facts_.image_repository;
  const bool is_new = recorded && (recorded->version != facts_.version || is_moved);
  // A revision that was rolled back is not tried again, so it needs no place.
  const bool is_settled = !is_new || !inputs.memory.failed_revision.empty();
  if (is_settled) return deps_.pacer.done(inputs.key);
  const bool is_held = annotation(inputs.pipeline, kHoldVersionAnnotation) == "true";
  inputs.upgrade = is_held ? std::string("held by the annotation ") + kHoldVersionAnnotation
                           : deps_.pacer.admit(inputs.key, inputs.wall_now);
  if (inputs.upgrade.empty()) return;
  const auto from_to = [](const std::string& from, const std::string& to) {
    return "from " + from + " to " + to + ": ";
  };
  inputs.upgrade = (recorded->version != facts_.version
                        ? from_to(recorded->version, facts_.version)
                        : from_to(recorded->image_repository, facts_.image_repository)) +
                   inputs.upgrade;
  inputs.facts.version = recorded->version;
  inputs.facts.image_repository = recorded->image_repository;
  inputs.is_spec_recorded =
      recorded->spec == kube::fingerprint(inputs.object.value("spec", Json::object()));
}

void InputReader::fall_back(Inputs& inputs) const {
  read_last_good_once(inputs);
  if (!inputs.last_good) return;
  inputs.falls_back = true;
  inputs.effective = inputs.last_good->object;
  inputs.pipeline = inputs.last_good->pipeline;
  inputs.facts = inputs.last_good->facts;
  inputs.blocked.clear();
  inputs.fingerprint = fingerprint_of(inputs.effective, inputs.facts, inputs.last_good_version);
}

void InputReader::read_last_good_once(Inputs& inputs) const {
  if (inputs.last_good) return;
  inputs.last_good = read_last_good(
      deps_.applier.live(kube::kConfigMaps, last_good_key(inputs.key)), inputs.object, facts_);
}

}  // namespace spanway::reconcile
