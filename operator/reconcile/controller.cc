#include "operator/reconcile/controller.h"

#include <algorithm>
#include <array>
#include <utility>

#include "operator/api/declaration.h"
#include "operator/reconcile/foreign_autoscalers.h"
#include "operator/decide/rendering_digest.h"
#include "operator/reconcile/refused_pods.h"
#include "operator/decide/traffic.h"
#include "operator/decide/wall_time.h"
#include "operator/decide/desired_objects.h"
#include "services/lib/base/check.h"
#include "services/lib/config/scalar.h"

namespace spanway::reconcile {
namespace {

using Phase = RolloutDecision::Phase;

constexpr std::size_t kNoteBytesMax = 1000;
// A failure that lasts as long is in the status whatever it is.
// Keeps a Pipeline at the version of the operator that its last good revision was made by.
constexpr char kHoldVersionAnnotation[] = "spanway.dev/hold-version";
// How often one that waits for its upgrade asks again.
constexpr Duration kUpgradeLook = std::chrono::seconds(30);
constexpr Duration kFailureShownAfter = std::chrono::seconds(30);

const Json& status_of(const Json& pipeline) {
  static const Json kNothing = Json::object();
  const auto found = pipeline.find("status");
  return found == pipeline.end() || !found->is_object() ? kNothing : *found;
}

std::string annotation(const std::map<std::string, std::string>& annotations, const char* name) {
  const auto found = annotations.find(name);
  return found == annotations.end() ? "" : found->second;
}

const Json* find_condition(const Json& status, std::string_view type) {
  const Json* all = kube::find(status, "conditions");
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Json& one : *all)
    if (kube::string_at(one, "type") == type) return &one;
  return nullptr;
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

// A refusal of the API server, in the status as well: the conditions say what is wrong with what
// runs, not what could not be written.
void show_failure(Json& status, const std::string& failure, const std::string& now) {
  if (failure.empty() || !status.contains("conditions")) return;
  for (Json& condition : status["conditions"]) {
    const std::string type = kube::string_at(condition, "type");
    const bool is_bad = type == "Degraded" || type == "Stalled";
    if (!is_bad && type != "Progressing" && type != "Reconciling") continue;
    const std::string value = is_bad ? "True" : "False";
    if (condition["status"] != value) condition["lastTransitionTime"] = now;
    condition["status"] = value;
    condition["reason"] = "ApplyFailed";
    condition["message"] = failure;
  }
}

// All that a rendering is made of, but for what is the same as long as the operator runs: equal
// ones make equal renderings. The version is that of the last good one while an upgrade waits.
std::string inputs_of(const Json& pipeline, const render::ClusterFacts& facts,
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

std::vector<std::string> texts_of(const std::vector<kube::ObjectKey>& keys) {
  constexpr std::size_t kShownMax = 256;
  std::vector<std::string> out;
  for (const kube::ObjectKey& key : keys)
    if (out.size() < kShownMax) out.push_back(key.text());
  return out;
}

// The server has answered, and would answer the same again: 400, 422, and 500, which is what an
// apply of a field that it does not know gets. Rights and conflicts are no fault of what was sent.
bool is_refusal(const Error& error) {
  return std::string_view(error.reason) == "invalid" ||
         std::string_view(error.reason) == "internal_error" || error.code == Code::kInvalidArgument;
}

bool is_silent(const Error& error) {
  return error.code == Code::kDeadlineExceeded || std::string_view(error.reason) == "no_connection";
}

std::string texts_of_retentions(const TopicClaims::Sharing& sharing) {
  return config::format_duration(sharing.retention) +
         config::format_duration(sharing.dead_letter_retention);
}

Duration earlier(Duration a, Duration b) {
  if (a == Duration::zero()) return b;
  return b == Duration::zero() ? a : std::min(a, b);
}

}  // namespace

// A live object that was found to hold what is wanted.
struct Controller::Held {
  std::uint64_t outline = 0;  // Hash of what is wanted of it.
  std::uint64_t made = 0;     // Applier::made() at that time.
  friend bool operator==(const Held&, const Held&) = default;
};

struct Controller::Memory {
  ConsumerScaler scaler;
  // Why the last apply failed for good, or again and again; part of the status until one succeeds.
  std::string failure;
  // Since when applies fail in a row, and since when the server refuses (not: does not answer) an
  // object of this revision.
  std::optional<SystemTime> failing_since;
  std::optional<SystemTime> refused_since;
  std::string refusal;
  std::string refused_revision;
  // Of the last good one: which operator made it, and the version of its ConfigMap.
  std::optional<RecordedVersion> recorded;
  std::string recorded_at;
  std::string checked;  // "uid/generation" of the last spec whose configurations load.
  // What was rendered last without anything being wrong, as outlines, and of what.
  std::string inputs;
  std::string wanted;
  std::optional<std::string> last_good;  // Empty = the same as `wanted`.
  // At most one for each object that is wanted.
  std::vector<Held> held;
  std::string last_good_version;  // Of the operator that recorded the last good spec.
  RefusedPods refused;
  ForeignAutoscalers foreign_autoscalers;
  // As it was written last. What is found in the status instead was not written by us.
  std::optional<RolloutMemory> rollout;
  // Since when every reconciliation has ended with its status written.
  std::optional<SystemTime> observed_since;
  std::set<std::string> ended_pods;  // Uids of those that there are, each told once.
  std::string topics_job;
  int topics_failures = 0;
};

// What Look holds outlines of. Rendered when something must be written.
struct Controller::Whole {
  render::Rendering wanted;
  std::optional<render::Rendering> last_good;
  std::optional<WantedObjects> objects;
};

struct Controller::Look {
  kube::ObjectKey key;
  Json object;     // The Pipeline.
  Json effective;  // What is reconciled: the Pipeline, or its last good spec.
  Json before;     // Its status.
  api::Pipeline pipeline;
  std::shared_ptr<Memory> memory;
  config::Problems problems;  // Of the spec; not empty = the last good one is reconciled.
  config::Problems secret_problems;
  std::set<std::string> missing_secrets;  // Also those that may not be read.
  std::set<render::ComponentId> blocked;  // Components that use one of them.
  TopicClaims::Sharing sharing;
  render::ClusterFacts facts;
  std::string last_good_version;  // Of its ConfigMap; "" = there is none.
  std::string upgrade;  // Why it waits with the operator's new version; empty = it does not.
  bool is_spec_recorded = false;  // The spec is the last good one; only when it waits.
  std::string inputs;
  std::optional<LastGood> last_good_spec;   // Not read while the inputs are as before.
  std::optional<render::Rendering> wanted;  // Outlines, both.
  std::optional<render::Rendering> last_good;
  std::optional<Whole> whole;
  std::vector<Held> held;
  std::vector<Json> workloads;
  std::vector<Json> pods;
  std::vector<ComponentView> components;
  std::optional<RolloutDecision> decision;
  RolloutMemory remembered;  // Before the decision.
  TopicsDecision topics;
  std::optional<std::int64_t> ingress_endpoints;
  std::map<std::string, StatuszReport> reports;
  std::map<std::string, LagScalerDecision> scaling;
  WantedObjects objects;
  std::optional<render::Manifest> topics_job;  // Of the rendering that is to run.
  std::map<std::string, std::string> idle_autoscalers;
  std::map<std::string, std::string> foreign_autoscalers;
  std::string refused_job;  // Why the topics Job has no pod.
  Duration refused_again{};
  bool paused = false;
  SystemTime wall_now{};
  SystemTime observed_since{};
  bool falls_back = false;  // The last good spec is reconciled in place of the Pipeline's.

  const render::Rendering* last_good_rendering() const { return last_good ? &*last_good : nullptr; }
};

Controller::Controller(const ControllerDeps& deps, render::ClusterFacts facts)
    : deps_(deps),
      facts_(std::move(facts)),
      claims_(deps.stores),
      pacer_(deps.upgrades),
      unseen_(deps.clock),
      applier_(deps.client, deps.stores, unseen_, deps.events) {}

Controller::~Controller() = default;

std::shared_ptr<Controller::Memory> Controller::memory_of(const kube::ObjectKey& key) {
  MutexLock lock(mutex_);
  std::shared_ptr<Memory>& memory = memories_[key];
  if (!memory) memory = std::make_shared<Memory>();
  return memory;
}

void Controller::forget(const kube::ObjectKey& key) {
  deps_.secrets.forget(key);
  deps_.monitor.forget(key);
  applier_.forget(key);
  pacer_.done(key);
  for (const kube::ObjectKey& other : claims_.forget(key)) deps_.enqueue(other);
  MutexLock lock(mutex_);
  memories_.erase(key);
}

std::size_t Controller::remembered() const {
  MutexLock lock(mutex_);
  return memories_.size();
}

Result<Duration> Controller::reconcile(const kube::ObjectKey& key) {
  std::optional<Json> object = applier_.live(kube::kPipelines, key);
  // What belongs to a Pipeline that is gone is collected by its owner references.
  if (!object || !kube::string_at(*object, "metadata/deletionTimestamp").empty()) {
    forget(key);
    return Duration::zero();
  }
  Look look;
  look.key = key;
  look.object = std::move(*object);
  look.before = status_of(look.object);
  look.memory = memory_of(key);
  look.wall_now = deps_.clock.system_now();
  look.effective = look.object;
  look.pipeline = api::read(look.object, look.problems);
  look.remembered = look.memory->rollout ? *look.memory->rollout : rollout_memory(look.before);
  // Should this one fail, what it has seen of the pods is not remembered.
  look.observed_since = look.memory->observed_since.value_or(look.wall_now);
  look.memory->observed_since.reset();
  look.paused = look.pipeline.spec.paused ||
                annotation(look.pipeline.annotations, api::kPauseAnnotation) == "true";
  SPANWAY_TRY(check(look));
  const bool is_new = !look.before.contains("conditions");
  if ((!look.problems.empty() && !fall_back(look)) || (look.paused && is_new))
    return reconcile_nothing(look);

  see(look);
  tell_ended_pods(look);
  deps_.monitor.set_pace(
      key, look.decision->phase != Phase::kComplete && look.decision->phase != Phase::kRolledBack,
      !look.scaling.empty());
  if (look.paused) return observe_paused(look);
  // The spec first: a status that speaks of a last good one without it could not be repaired.
  if (look.decision->record_last_good) {
    SPANWAY_TRY(render_whole(look));  // While the last good one is still the one decided with.
    const auto stored = applier_.live(kube::kConfigMaps, last_good_key(look.key));
    auto recorded = apply_whole(
        look, last_good_manifest(look.effective, look.facts, look.decision->keep_recorded, stored));
    if (!recorded.ok()) return std::move(recorded).error();
  }
  // What is about to be done is said before it is done.
  SPANWAY_TRY(write_status(look));
  look.memory->observed_since = look.observed_since;
  tell_rollout(look);
  const Status written = write(look);
  look.held.shrink_to_fit();
  look.memory->held = std::move(look.held);
  const std::string failure = note_outcome(look, written);
  if (failure != look.memory->failure) {
    look.memory->failure = failure;
    SPANWAY_TRY(write_status(look));
  }
  if (!written.ok()) return written.error();
  const Duration again = earlier(
      status_look_again(status_input(look), look.before),
      earlier(look.refused_again, earlier(look.decision->look_again, look.topics.look_again)));
  const Duration upgrade = look.upgrade.empty() ? Duration::zero() : kUpgradeLook;
  // An entry that ends without an event changes what is known.
  return earlier(earlier(again, upgrade), unseen_.expires_in(look.key));
}

Result<Duration> Controller::observe_paused(Look& look) {
  SPANWAY_TRY(write_status(look));
  return earlier(status_look_again(status_input(look), look.before), unseen_.expires_in(look.key));
}

Result<Duration> Controller::reconcile_nothing(Look& look) {
  deps_.monitor.set_pace(look.key, false, false);
  SPANWAY_TRY(write_status(look));
  return unseen_.expires_in(look.key);
}

void Controller::read_last_good_once(Look& look) {
  if (look.last_good_spec) return;
  look.last_good_spec = read_last_good(applier_.live(kube::kConfigMaps, last_good_key(look.key)),
                                       look.object, facts_);
}

// False when there is no last good spec.
bool Controller::fall_back(Look& look) {
  read_last_good_once(look);
  if (!look.last_good_spec) return false;
  look.falls_back = true;
  look.effective = look.last_good_spec->object;
  look.pipeline = look.last_good_spec->pipeline;
  look.facts = look.last_good_spec->facts;
  look.blocked.clear();
  look.inputs = inputs_of(look.effective, look.facts, look.last_good_version);
  return true;
}

// Loading every component's file is most of the work of a look at a Pipeline at rest. It depends on
// the spec alone, so one that has passed is not loaded again.
void Controller::check_once(Look& look) {
  const std::string spec = look.pipeline.uid + "/" + std::to_string(look.pipeline.generation);
  if (look.pipeline.generation > 0 && look.memory->checked == spec) return;
  const std::size_t before = look.problems.all().size();
  render::check_configs(look.pipeline, facts_, look.problems);
  look.memory->checked = look.problems.all().size() == before ? spec : "";
}

// A new version of the operator renders other pods. They wait for their turn; until then the
// version of the last good revision is rendered.
void Controller::choose_version(Look& look) {
  Memory& memory = *look.memory;
  if (memory.recorded_at != look.last_good_version) {
    memory.recorded = read_recorded(applier_.live(kube::kConfigMaps, last_good_key(look.key)));
    memory.recorded_at = look.last_good_version;
  }
  const std::optional<RecordedVersion>& recorded = memory.recorded;
  // One that has failed and was rolled back is not tried again, so it needs no place.
  const bool is_settled =
      !recorded || recorded->version == facts_.version || !look.remembered.failed_revision.empty();
  if (is_settled) return pacer_.done(look.key);
  const bool is_held = annotation(look.pipeline.annotations, kHoldVersionAnnotation) == "true";
  look.upgrade = is_held ? std::string("held by the annotation ") + kHoldVersionAnnotation
                         : pacer_.admit(look.key, look.wall_now);
  if (look.upgrade.empty()) return;
  look.upgrade = "from " + recorded->version + " to " + facts_.version + ": " + look.upgrade;
  look.facts.version = recorded->version;
  look.facts.image_repository = recorded->image_repository;
  look.is_spec_recorded =
      recorded->spec == kube::fingerprint(look.object.value("spec", Json::object()));
}

// What this version of the operator renders otherwise of the same spec waits as well.
void Controller::hold_back(Look& look) const {
  if (look.upgrade.empty() || !look.is_spec_recorded) return;
  RolloutDecision& decision = *look.decision;
  bool differs = false;
  for (std::size_t i = 0; i < look.components.size(); ++i) {
    const WorkloadView& stable = look.components[i].stable;
    if (!stable.exists || stable.revision == look.wanted->components[i].revision) continue;
    differs = true;
    decision.actions[i] = {look.wanted->components[i].id, Target::kKeep, false};
  }
  if (!differs) return;
  decision.phase = Phase::kComplete;
  decision.memory = look.remembered;
  decision.record_last_good = false;
  decision.just_failed = false;
  decision.remove_others = false;
  decision.reason = "UpgradePending";
  decision.message = look.upgrade;
}

// The topics of another Pipeline are not taken over; those that all agree to share are kept for as
// long as the most patient wants.
void Controller::check_topics(Look& look) {
  std::set<kube::ObjectKey> changed;
  look.sharing = claims_.look_up(look.key, changed);
  for (const kube::ObjectKey& other : changed) deps_.enqueue(other);
  api::Topics& topics = look.pipeline.spec.kafka.topics;
  if (look.sharing.with.empty()) {
    look.sharing.retention = topics.retention;
    look.sharing.dead_letter_retention = topics.dead_letter_retention;
  }
  topics.retention = std::max(topics.retention, look.sharing.retention);
  topics.dead_letter_retention =
      std::max(topics.dead_letter_retention, look.sharing.dead_letter_retention);
  if (!look.sharing.taken_by) return;
  look.problems.add("spec.kafka.topics",
                    "the topic " + look.sharing.taken_topic +
                        " of these brokers is that of the Pipeline " +
                        look.sharing.taken_by->text() +
                        ": each would deliver the other's data. Set spec.kafka.topics.prefix, or "
                        "spec.kafka.topics.shared: true in both");
}

// Everything that can be wrong with the Pipeline. Errors are those of the API server.
Status Controller::check(Look& look) {
  look.last_good_version = applier_.version(kube::kConfigMaps, last_good_key(look.key));
  if (!look.problems.empty()) return {};
  check_topics(look);
  SPANWAY_TRY(check_secrets(look));
  if (!look.paused) choose_version(look);
  look.inputs = inputs_of(look.object, look.facts, look.last_good_version) +
                texts_of_retentions(look.sharing);
  if (look.problems.empty() && look.memory->inputs == look.inputs) return {};  // It has passed.

  read_last_good_once(look);
  if (look.last_good_spec)
    api::check_transition(look.last_good_spec->pipeline, look.pipeline, look.problems);
  check_once(look);
  return {};
}

// A Secret's trouble is that of the components that use it.
Status Controller::check_secrets(Look& look) {
  SPANWAY_ASSIGN(const SecretsPoller::Found secrets,
                 deps_.secrets.look_up(look.key, render::referenced_secrets(look.pipeline)));
  look.facts = facts_;
  look.facts.secret_identities = secrets.identities;
  if (secrets.missing.empty() && secrets.refused.empty()) return {};
  const Json spec = look.object.value("spec", Json::object());
  const auto add = [&](const std::string& name, const std::string& message) {
    const std::string place = place_of_secret(spec, "spec", name);
    look.secret_problems.add(place.empty() ? "spec" : place, message);
    look.missing_secrets.insert(name);
  };
  for (const std::string& name : secrets.missing)
    add(name, "there is no Secret \"" + name + "\" in namespace " + look.key.name_space);
  for (const auto& [name, words] : secrets.refused)
    add(name, "Secret \"" + name + "\" may not be read: " + words);
  look.blocked = render::components_with(look.pipeline, look.missing_secrets);
  // What runs was made with a Secret that is gone: it is not made anew without.
  read_last_good_once(look);
  if (!look.last_good_spec) return {};
  for (const auto& [name, identity] : look.last_good_spec->facts.secret_identities)
    if (look.missing_secrets.contains(name)) look.facts.secret_identities[name] = identity;
  return {};
}

void Controller::render(Look& look) {
  Whole& whole = look.whole.emplace();
  if (look.last_good_spec) whole.last_good = render_last_good(*look.last_good_spec);
  whole.wanted = look.falls_back ? *whole.last_good : render::render(look.pipeline, look.facts);
  ++renderings_;
}

// From memory when it can be.
void Controller::outline(Look& look) {
  Memory& memory = *look.memory;
  if (memory.inputs != look.inputs) {
    render(look);
    memory.wanted = outline_of(look.whole->wanted);
    memory.last_good.reset();
    memory.last_good_version = look.last_good_spec ? look.last_good_spec->facts.version : "";
    if (look.whole->last_good) {
      memory.last_good = outline_of(*look.whole->last_good);
      if (*memory.last_good == memory.wanted) memory.last_good = std::string();
    }
    memory.inputs = look.inputs;
  }
  look.wanted = read_outline(memory.wanted);
  if (memory.last_good)
    look.last_good = memory.last_good->empty() ? *look.wanted : read_outline(*memory.last_good);
}

// An error when the last good spec is no longer the one that this look has decided with.
Status Controller::render_whole(Look& look) {
  if (look.whole) return {};
  if (look.last_good) {
    const std::optional<Json> stored = applier_.live(kube::kConfigMaps, last_good_key(look.key));
    if (!stored || kube::string_at(*stored, "metadata/resourceVersion") != look.last_good_version)
      return unavailable("the last good spec has changed just now");
    look.last_good_spec = read_last_good(stored, look.object, facts_);
  }
  render(look);
  return {};
}

Result<const render::Manifest*> Controller::whole(Look& look, const render::Manifest& outline) {
  SPANWAY_TRY(render_whole(look));
  Whole& whole = *look.whole;
  if (!whole.objects) {
    const render::Rendering* last_good = whole.last_good ? &*whole.last_good : nullptr;
    whole.objects = wanted_objects(whole.wanted, last_good, *look.decision);
  }
  const kube::ObjectKey key = outline.key();
  const auto is_it = [&](const render::Manifest& manifest) {
    return manifest.type == outline.type && manifest.key() == key;
  };
  if (whole.wanted.topics_job && is_it(*whole.wanted.topics_job)) return &*whole.wanted.topics_job;
  if (whole.last_good && whole.last_good->topics_job && is_it(*whole.last_good->topics_job))
    return &*whole.last_good->topics_job;
  for (const auto* manifests :
       {&whole.objects->support, &whole.objects->canaries, &whole.objects->workloads}) {
    const auto found = std::find_if(manifests->begin(), manifests->end(), is_it);
    if (found != manifests->end()) return &*found;
  }
  count_bug("controller.outline_without_object");
  return unavailable("there is nothing to make " + std::string(outline.type.kind) + " " + key.name +
                     " of");
}

std::int64_t Controller::refused_for_ms(const Look& look) {
  const Memory& memory = *look.memory;
  if (!memory.refused_since || memory.refused_revision != look.wanted->revision) return 0;
  return unix_ms(look.wall_now) - unix_ms(*memory.refused_since);
}

// What the status says of it: a refusal for good at once, any other failure when it repeats.
std::string Controller::note_outcome(Look& look, const Status& written) {
  Memory& memory = *look.memory;
  if (written.ok()) {
    memory.failing_since.reset();
    memory.refused_since.reset();
    memory.refusal.clear();
    return "";
  }
  const Error& error = written.error();
  if (!memory.failing_since) memory.failing_since = look.wall_now;
  if (is_refusal(error)) {
    if (!memory.refused_since || memory.refused_revision != look.wanted->revision)
      memory.refused_since = look.wall_now;
    memory.refused_revision = look.wanted->revision;
    memory.refusal = error.message;
  }
  const bool repeats = look.wall_now - *memory.failing_since >= kFailureShownAfter;
  return repeats || error.refusal != Refusal::kTransient ? error.message : memory.failure;
}

// What runs, and what to make of it.
void Controller::see(Look& look) {
  outline(look);
  look.workloads = applier_.live_of(kube::kDeployments, look.key);
  for (Json& set : applier_.live_of(kube::kStatefulSets, look.key))
    look.workloads.push_back(std::move(set));
  look.pods = deps_.stores.of_owner(kube::kPods, look.key);
  const kube::ObjectKey ingress{
      look.key.name_space, render::object_name(look.pipeline.name, {render::Role::kIngress, ""})};
  if (const auto service = applier_.live(kube::kServices, ingress); service)
    look.ingress_endpoints = count_endpoints(*service, look.pods);
  for (const render::Component& component : look.wanted->components)
    look.components.push_back(
        observe(component, look.pipeline.name, look.workloads, look.pods, look.wall_now));
  see_refusals(look);
  see_autoscalers(look);

  Memory& memory = *look.memory;
  RolloutMemory remembered = look.remembered;
  const bool is_forced =
      !look.paused && look.problems.empty() &&
      obey_force_check(annotation(look.pipeline.annotations, api::kForceCheckAnnotation),
                       remembered);
  const std::int64_t now_ms = unix_ms(look.wall_now);
  const StatuszMonitor::Reports reports = deps_.monitor.reports(look.key);
  look.reports = reports.by_pod;
  look.decision = decide({.wanted = *look.wanted,
                          .last_good = look.last_good_rendering(),
                          .components = look.components,
                          .memory = std::move(remembered),
                          .rules = look.pipeline.spec.rollout,
                          .now_ms = now_ms,
                          .observed_since_ms = unix_ms(look.observed_since),
                          .forced = is_forced,
                          .refused_for_ms = refused_for_ms(look),
                          .refusal = memory.refusal,
                          .blocked = look.blocked,
                          .reports = &look.reports});
  hold_back(look);
  if (!look.problems.empty()) {
    // What has failed is not tried again after a spec that was refused.
    look.decision->memory.failed_revision = look.remembered.failed_revision;
    look.decision->memory.failed_reason = look.remembered.failed_reason;
  }
  look.objects = wanted_objects(*look.wanted, look.last_good_rendering(), *look.decision);
  if (!look.paused)
    look.scaling =
        memory.scaler.decide(look.pipeline, *look.wanted, look.components, reports, now_ms);
  see_contention(look);
  see_topics(look);
}

// Events are not watched, so a workload that lacks a pod is requeued.
void Controller::see_refusals(Look& look) {
  RefusedPods& refused = look.memory->refused;
  for (const Json& workload : look.workloads) {
    if (kube::string_at(workload, "kind") != kube::kStatefulSets.kind || !lacks_pods(workload))
      continue;
    look.refused_again = RefusedPods::kAnswerCounts;
    const std::string why =
        refused.look_up(deps_.client, kube::kStatefulSets, workload, deps_.clock.now());
    for (ComponentView& view : look.components) {
      if (render::object_name(look.pipeline.name, view.id) ==
          kube::string_at(workload, "metadata/name"))
        view.stable.problem = why;
    }
  }
}

void Controller::see_autoscalers(Look& look) {
  for (const Json& autoscaler : applier_.live_of(kube::kHorizontalPodAutoscalers, look.key)) {
    const Json* active = find_condition(status_of(autoscaler), "ScalingActive");
    if (active == nullptr || kube::string_at(*active, "status") != "False") continue;
    look.idle_autoscalers[kube::string_at(autoscaler, "metadata/name")] =
        kube::string_at(*active, "reason") + ": " + kube::string_at(*active, "message");
  }
}

// Replicas that were set and are others now may be those of another autoscaler.
void Controller::see_contention(Look& look) {
  std::set<std::string> workloads;
  bool contested = false;
  for (std::size_t i = 0; i < look.components.size(); ++i) {
    const render::Component& component = look.wanted->components[i];
    const WorkloadView& stable = look.components[i].stable;
    if (!stable.exists) continue;
    std::int64_t replicas = component.replicas;
    if (component.replicas_elsewhere) {
      const auto scaled = look.scaling.find(component.id.exporter);
      if (component.id.role != render::Role::kConsumer || scaled == look.scaling.end()) continue;
      replicas = scaled->second.replicas;
    }
    workloads.insert(std::string(component.workload.type.kind) + "/" +
                     component.workload.key().name);
    contested = contested || stable.replicas != replicas;
  }
  look.foreign_autoscalers = look.memory->foreign_autoscalers.look_up(
      deps_.client, look.key.name_space, workloads, contested, deps_.clock.now());
  if (!look.foreign_autoscalers.empty()) look.refused_again = ForeignAutoscalers::kListCounts;
}

void Controller::see_topics(Look& look) {
  Memory& memory = *look.memory;
  std::optional<Json> job;
  // After a rollback the failed revision's Job goes with it.
  const bool is_back = look.decision->phase == Phase::kRolledBack && look.last_good;
  look.topics_job = is_back ? look.last_good->topics_job : look.wanted->topics_job;
  if (look.topics_job) {
    const kube::ObjectKey job_key = look.topics_job->key();
    job = applier_.live(kube::kJobs, job_key);
    if (job && lacks_pods(*job)) {
      look.refused_again = RefusedPods::kAnswerCounts;
      look.refused_job = memory.refused.look_up(deps_.client, kube::kJobs, *job, deps_.clock.now());
    }
    if (memory.topics_job != job_key.name) {
      memory.topics_job = job_key.name;
      memory.topics_failures = 0;
    }
  }
  memory.refused.sweep();
  look.topics = look_at_topics({.wanted = look.topics_job,
                                .job = job,
                                .pods = look.pods,
                                .status = look.before,
                                .failures = memory.topics_failures + 1,
                                .refused = look.refused_job,
                                .missing = reports_missing_topic(look.components, look.reports),
                                .wall_now = look.wall_now});
  if (look.topics.is_well) memory.topics_failures = 0;
  if (!render::topics_job_uses(look.pipeline, look.missing_secrets)) return;
  look.topics.create = look.topics.remove = false;
}

Status Controller::write(Look& look) {
  SPANWAY_TRY(apply_shared(look));
  SPANWAY_TRY(apply_topics(look));
  SPANWAY_TRY(apply_workloads(look));
  SPANWAY_TRY(prune(look));
  return look.memory->scaler.write(look.object, *look.wanted, look.workloads, deps_.client,
                                   deps_.events);
}

// An object that holds what is wanted, and has not been touched since that was seen, is left alone
// unread.
Status Controller::apply(Look& look, const render::Manifest& outline) {
  const std::optional<std::uint64_t> made = applier_.made(outline.type, outline.key());
  const Held held{kube::fingerprint_number(outline.object), made.value_or(0)};
  const std::vector<Held>& known = look.memory->held;
  if (!made || std::find(known.begin(), known.end(), held) == known.end()) {
    SPANWAY_ASSIGN(const render::Manifest* manifest, whole(look, outline));
    SPANWAY_ASSIGN(const bool written, apply_whole(look, *manifest));
    if (!made || written) return {};
  }
  look.held.push_back(held);
  return {};
}

// True when it was written.
Result<bool> Controller::apply_whole(Look& look, const render::Manifest& manifest) {
  auto applied = applier_.apply(look.object, manifest);
  if (applied.ok()) return *applied;
  return std::move(applied).error().with_context(std::string(manifest.type.kind) + " " +
                                                 manifest.key().name);
}

// All of them, so that one refused object does not hold up the others; pods wait for all.
Status Controller::apply_shared(Look& look) {
  Status first;
  for (const render::Manifest& manifest : look.objects.support) {
    Status applied = apply(look, manifest);
    // A server that does not answer would hold this worker for each of them.
    if (!applied.ok() && is_silent(applied.error())) return applied;
    if (!applied.ok() && first.ok()) first = std::move(applied);
  }
  return first;
}

Status Controller::apply_workloads(Look& look) {
  for (const auto* manifests : {&look.objects.canaries, &look.objects.workloads})
    for (const render::Manifest& manifest : *manifests) SPANWAY_TRY(apply(look, manifest));
  return {};
}

Status Controller::apply_topics(Look& look) {
  if (look.topics.create) return apply(look, *look.topics_job);
  if (!look.topics.remove) return {};
  const auto live = applier_.live(kube::kJobs, look.topics_job->key());
  if (!live) return {};
  look.memory->topics_failures = std::min(look.memory->topics_failures + 1, 16);
  if (look.topics.view.state == TopicsView::State::kFailed) {
    deps_.events.announce(look.object, true, "TopicsFailed", "Retry", look.topics.view.message);
  } else if (reports_missing_topic(look.components, look.reports)) {
    deps_.events.announce(look.object, true, "TopicMissing", "Retry",
                          "pods report a topic that does not exist: the topics Job runs again");
  }
  SPANWAY_TRY(applier_.remove(look.object, kube::kJobs, *live));
  look.topics.look_again = std::chrono::seconds(1);
  return {};
}

Status Controller::prune(Look& look) {
  std::set<std::string> keep;
  const auto keep_object = [&keep](const kube::ResourceType& type, const kube::ObjectKey& key) {
    keep.insert(std::string(type.plural) + "/" + key.name);
  };
  for (const auto* manifests :
       {&look.objects.support, &look.objects.canaries, &look.objects.workloads})
    for (const render::Manifest& manifest : *manifests) keep_object(manifest.type, manifest.key());
  for (const auto& [type, key] : look.objects.untouched) keep_object(type, key);
  if (look.topics_job) keep_object(kube::kJobs, look.topics_job->key());
  keep_object(kube::kConfigMaps, last_good_key(look.key));
  // Also those of the last good spec while it is not applied: going back must not wait for
  // anything.
  if (look.last_good) {
    for (const render::Component& component : look.last_good->components)
      for (const render::Manifest& manifest : component.support)
        if (manifest.type == kube::kConfigMaps) keep_object(manifest.type, manifest.key());
  }
  std::vector<std::pair<kube::ResourceType, kube::ObjectKey>> others;
  for (const kube::ResourceType& type : deps_.stores.kinds()) {
    for (const kube::ObjectKey& key : deps_.stores.keys_of_owner(type, look.key))
      if (!keep.contains(std::string(type.plural) + "/" + key.name)) others.emplace_back(type, key);
  }
  if (others.empty()) return {};
  std::vector<Json> workloads = applier_.live_of(kube::kDeployments, look.key);
  for (Json& set : applier_.live_of(kube::kStatefulSets, look.key))
    workloads.push_back(std::move(set));
  const std::set<std::string> mounted = mounted_config_maps(workloads, look.pods);
  for (const auto& [type, key] : others) {
    if (type == kube::kConfigMaps && mounted.contains(key.name)) continue;
    const std::optional<Json> live = applier_.live(type, key);
    if (!live || !kube::string_at(*live, "metadata/deletionTimestamp").empty()) continue;
    SPANWAY_TRY(applier_.remove(look.object, type, *live));
  }
  return {};
}

StatusInput Controller::status_input(const Look& look) const {
  return {.pipeline = look.pipeline,
          .problems = look.problems,
          .secret_problems = &look.secret_problems,
          .wanted = look.wanted ? &*look.wanted : nullptr,
          .components = look.components,
          .rollout = look.decision ? &*look.decision : nullptr,
          .reports = look.reports,
          .scaling = look.scaling,
          .topics = look.topics.view,
          .idle_autoscalers = look.idle_autoscalers,
          .foreign_autoscalers = look.foreign_autoscalers,
          .paused = look.paused,
          .operator_version = look.facts.version.empty() ? facts_.version : look.facts.version,
          .last_good_version = look.memory->last_good_version,
          .wall_now = wall_time_text(unix_ms(look.wall_now) / 1000 * 1000),
          .config_reason = look.sharing.taken_by ? "TopicsTaken" : "ConfigInvalid",
          .topics_shared_with = texts_of(look.sharing.with),
          .ingress_endpoints = look.ingress_endpoints};
}

Status Controller::write_status(Look& look) {
  const StatusInput input = status_input(look);
  const std::string& now = input.wall_now;
  Json status = make_status(input, look.before);
  show_failure(status, look.memory->failure, now);
  // The kept status of one that is invalid or paused has the old words.
  status.erase("upgrade");
  if (!look.upgrade.empty()) status["upgrade"] = look.upgrade;
  if (status == look.before) {
    look.memory->rollout = rollout_memory(status);
    return {};
  }
  const Json patch = {
      {"metadata", {{"resourceVersion", kube::string_at(look.object, "metadata/resourceVersion")}}},
      {"status", kube::merge_difference(look.before, status)}};
  auto answer = deps_.client.merge_patch(kube::kPipelines, look.key, patch, "status");
  if (!answer.ok()) return std::move(answer).error();
  deps_.events.wrote("status", kube::kPipelines, look.key);
  Json after = project(kube::kPipelines, std::move(answer).value());
  tell(look, look.before, status);
  unseen_.wrote(look.key, kube::kPipelines, look.key, after,
                applier_.stored(kube::kPipelines, look.key));
  look.object = std::move(after);
  look.before = status_of(look.object);
  look.memory->rollout = rollout_memory(look.before);
  return {};
}

// An Event for each condition that has changed its mind.
void Controller::tell(const Look& look, const Json& before, const Json& after) const {
  struct Rule {
    const char* type;
    const char* bad;  // The value that deserves a warning.
  };
  static constexpr std::array kRules = {
      Rule{"ConfigValid", "False"},      Rule{"Ready", "False"},
      Rule{"KafkaReachable", "False"},   Rule{"TopicsReady", "False"},
      Rule{"ExportersHealthy", "False"}, Rule{"ScalingLimited", "True"},
      Rule{"RetentionAtRisk", "True"},   Rule{"Paused", ""}};
  for (const Rule& rule : kRules) {
    const Json* now = find_condition(after, rule.type);
    if (now == nullptr) continue;
    const Json* then = find_condition(before, rule.type);
    const std::string value = kube::string_at(*now, "status");
    if (then == nullptr ? value != rule.bad : kube::string_at(*then, "status") == value) continue;
    // What has only just been made is not ready yet: nothing to warn of.
    if (then == nullptr && std::string_view(rule.type) == "Ready") continue;
    deps_.events.announce(
        look.object, value == rule.bad, kube::string_at(*now, "reason"), "Observe",
        (std::string(rule.type) + "=" + value + ": " + kube::string_at(*now, "message"))
            .substr(0, kNoteBytesMax));
  }
}

// A pod in a terminal phase is no part of what runs any more; why it ended is an Event, once.
void Controller::tell_ended_pods(const Look& look) const {
  std::set<std::string> ended;
  for (const Json& pod : look.pods) {
    if (kube::string_at(pod, "status/phase") != "Failed") continue;
    if (kube::find(pod, "metadata/labels/spanway.dev~1track") == nullptr) continue;
    std::string uid = kube::string_at(pod, "metadata/uid");
    if (!look.memory->ended_pods.contains(uid))
      deps_.events.announce(look.object, true, "PodFailed", "Observe", ending_of_pod(pod));
    ended.insert(std::move(uid));
  }
  look.memory->ended_pods = std::move(ended);
}

void Controller::tell_rollout(const Look& look) const {
  const RolloutDecision& decision = *look.decision;
  const RolloutMemory& now = decision.memory;
  const RolloutMemory& then = look.remembered;
  if (decision.just_failed) {
    deps_.events.rolled_back(look.object, decision.reason, decision.message);
    return;
  }
  if (decision.record_last_good && now.last_good_revision != then.last_good_revision) {
    deps_.events.announce(
        look.object, false, "RolloutComplete", "Record",
        "revision " + look.wanted->revision + " stayed healthy and is the last good one now");
    return;
  }
  if (!now.rolling_revision.empty() && now.rolling_revision != then.rolling_revision) {
    deps_.events.announce(
        look.object, false, "RolloutStarted", "Roll",
        "revision " + now.rolling_revision +
            (then.last_good_revision.empty() ? " is installed"
                                             : " replaces " + then.last_good_revision));
    return;
  }
  if (!now.rolling_component.empty() && (now.rolling_component != then.rolling_component ||
                                         now.rolling_promoted != then.rolling_promoted)) {
    deps_.events.announce(look.object, false,
                          now.rolling_promoted ? "ComponentPromoted" : "CanaryStarted", "Roll",
                          now.rolling_component + ": " + decision.message);
  }
}

}  // namespace spanway::reconcile
