#include "operator/reconcile/applier.h"

#include <algorithm>
#include <utility>

#include "operator/json/json_pointer.h"
#include "operator/reconcile/field_owner.h"
#include "operator/reconcile/owned_fields.h"

namespace spanway::reconcile {
namespace {

// Bounds the writes against a webhook that writes another value each time.
constexpr int kChangesMax = 3;

kube::ObjectKey key_of(const Json& object) {
  return {kube::string_at(object, "metadata/namespace"), kube::string_at(object, "metadata/name")};
}

bool has_replicas(const kube::ResourceType& type) {
  return type == kube::kDeployments || type == kube::kStatefulSets;
}

// The uid of the owner that controls the object, "" when there is none.
std::string controller_of(const Json& object) {
  const Json* owners = kube::find(object, "metadata/ownerReferences");
  if (owners == nullptr || !owners->is_array()) return "";
  for (const Json& owner : *owners)
    if (kube::bool_at(owner, "controller")) return kube::string_at(owner, "uid");
  return owners->empty() ? "" : kube::string_at(owners->front(), "uid");
}

std::string place(const kube::ResourceType& type, const kube::ObjectKey& key) {
  return std::string(type.plural) + " " + key.text();
}

std::string intent_of(const Json& object) {
  return kube::string_at(object,
                         "metadata/annotations/" + kube::escape_step(api::kIntentAnnotation));
}

// Has our labels and no owner reference.
bool is_orphan_of(const Json& pipeline, const Json& live) {
  const Json* owners = kube::find(live, "metadata/ownerReferences");
  if (owners != nullptr && owners->is_array() && !owners->empty()) return false;
  return kube::string_at(live, "metadata/labels/app.kubernetes.io~1managed-by") ==
             "spanway-operator" &&
         kube::string_at(live, "metadata/labels/spanway.dev~1pipeline") ==
             kube::string_at(pipeline, "metadata/name");
}

Error explained(Error error, const render::Manifest& manifest) {
  if (error.code == Code::kInvalidArgument && has_replicas(manifest.type) &&
      (error.message.find("immutable") != std::string::npos ||
       error.message.find("Forbidden") != std::string::npos)) {
    error.message += "; what cannot be changed in a " + std::string(manifest.type.kind) +
                     " was created by another version or by hand: delete it with --cascade=orphan, "
                     "and the operator creates it again around its pods";
  }
  return error;
}

}  // namespace

Applier::Applier(kube::Client& client, const Stores& stores, MutationCache& mutations,
                 const Events& events, const Clock& clock)
    : client_(client), stores_(stores), mutations_(mutations), events_(events), clock_(clock) {}

MutationCache::Stored Applier::stored(const kube::ResourceType& type,
                                      const kube::ObjectKey& key) const {
  // In this order: the store may move on in between.
  MutationCache::Stored stored{stores_.version(type, key.name_space), "", ""};
  if (auto state = stores_.state(type, key); state) {
    stored.version = std::move(state->version);
    stored.uid = std::move(state->uid);
  }
  return stored;
}

std::optional<Json> Applier::live(const kube::ResourceType& type,
                                  const kube::ObjectKey& key) const {
  const std::string store_version = stores_.version(type, key.name_space);
  return newest(type, key, store_version, stores_.get(type, key));
}

std::optional<Json> Applier::newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                                    const std::string& store_version,
                                    std::optional<Json> object) const {
  MutationCache::Stored stored{store_version, "", ""};
  if (object) {
    stored.version = kube::string_at(*object, "metadata/resourceVersion");
    stored.uid = kube::string_at(*object, "metadata/uid");
  }
  return mutations_.newest(type, key, stored, std::move(object));
}

std::vector<Json> Applier::live_of(const kube::ResourceType& type,
                                   const kube::ObjectKey& pipeline) const {
  std::vector<Json> out;
  const std::string store_version = stores_.version(type, pipeline.name_space);
  for (Json& object : stores_.of_owner(type, pipeline)) {
    const kube::ObjectKey key = key_of(object);
    if (auto known = newest(type, key, store_version, std::move(object)); known)
      out.push_back(std::move(*known));
  }
  return out;
}

std::string Applier::version(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  return mutations_.newest_version(type, key, stored(type, key));
}

std::optional<std::uint64_t> Applier::content_hash(const kube::ResourceType& type,
                                                   const kube::ObjectKey& key) const {
  MutationCache::Stored stored{stores_.version(type, key.name_space), "", ""};
  const auto state = stores_.state(type, key);
  if (!state) return std::nullopt;
  stored.version = state->version;
  stored.uid = state->uid;
  if (mutations_.newest_version(type, key, stored) != state->version) return std::nullopt;
  if (is_recheck_due(type, key)) return std::nullopt;
  return state->content;
}

Status Applier::check_owner(const Json& pipeline, const render::Manifest& manifest,
                            const Json& live) const {
  const std::string owner = controller_of(live);
  if (owner == kube::string_at(pipeline, "metadata/uid")) return {};
  // The Pipeline was deleted with --cascade=orphan and created again: its orphans are adopted.
  if (is_orphan_of(pipeline, live)) return {};
  const std::string what = std::string(manifest.type.kind) + " " + manifest.key().name;
  if (kube::string_at(live, "metadata/ownerReferences/0/name") ==
      kube::string_at(pipeline, "metadata/name")) {
    return unavailable(what +
                       " belongs to a deleted Pipeline of the same name and is not gone yet");
  }
  return configuration_error(Code::kFailedPrecondition,
                             what +
                                 " exists and does not belong to this Pipeline; delete it or "
                                 "rename the Pipeline")
      .with_reason("not_ours");
}

// The live object. One that the stores do not have is read: it may belong to another owner, without
// our labels, and must not be taken over. The API server's cache is enough: an object that appears
// after a read would not be found by a quorum read either.
Result<std::optional<Json>> Applier::read_live(const Json& pipeline,
                                               const render::Manifest& manifest) {
  std::optional<Json> known = live(manifest.type, manifest.key());
  if (!known) {
    auto raw = client_.get_cached(manifest.type, manifest.key());
    if (raw.ok()) {
      known = project(manifest.type, std::move(raw).value());
    } else if (raw.error().code != Code::kNotFound) {
      return std::move(raw).error();
    }
  }
  if (known) SPANWAY_TRY(check_owner(pipeline, manifest, *known));
  return known;
}

Result<bool> Applier::apply(const Json& pipeline, const render::Manifest& manifest) {
  const std::string intent = kube::fingerprint(manifest.object);
  Json object = manifest.object;
  object["metadata"]["annotations"][api::kIntentAnnotation] = intent;
  const Json desired = project(manifest.type, object);

  SPANWAY_ASSIGN(const std::optional<Json> known, read_live(pipeline, manifest));
  bool is_reported = !known;  // Additions to a new object are no drift.
  const bool is_recheck = known && is_recheck_due(manifest.type, manifest.key());
  if (known) {
    const Drift drift = drift_of(manifest, intent, *known, desired);
    if (drift.empty() && !is_recheck) return false;
    // Otherwise the differences are those of the two intents.
    const bool is_drift = !drift.empty() && intent_of(*known) == intent;
    if (is_drift && !may_repair(pipeline, manifest)) return true;
    if (is_drift) SPANWAY_TRY(report_drift(pipeline, manifest, drift));
    is_reported = is_drift || drift.empty();  // A value that is not kept is no drift.
    if (has_replicas(manifest.type) && kube::find(object, "spec/replicas") == nullptr)
      SPANWAY_TRY(hand_over_replicas(manifest));
  }
  auto answer = client_.apply(manifest.type, object, {.field_manager = kFieldManager});
  if (!answer.ok()) return explained(std::move(answer).error(), manifest);
  events_.wrote("apply", manifest.type, manifest.key());
  Json after = project(manifest.type, std::move(answer).value());
  const bool has_foreign = is_recheck ? !foreign_fields(manifest.type, after, desired).empty()
                                      : !drift_of(manifest, intent, after, desired).foreign.empty();
  if (has_foreign) {
    SPANWAY_ASSIGN(std::optional<Json> cleaned,
                   take_out_foreign(pipeline, manifest, desired, is_reported));
    if (cleaned) after = std::move(*cleaned);
  }
  learn(pipeline, manifest, intent, after, desired);
  mutations_.wrote(key_of(pipeline), manifest.type, manifest.key(), after,
                   stored(manifest.type, manifest.key()));
  return true;
}

Result<std::optional<Json>> Applier::take_out_foreign(const Json& pipeline,
                                                      const render::Manifest& manifest,
                                                      const Json& desired, bool is_reported) {
  auto raw = client_.get(manifest.type, manifest.key());
  if (!raw.ok()) {
    if (raw.error().code == Code::kNotFound) return std::optional<Json>();
    return std::move(raw).error();
  }
  const std::vector<std::string> foreign = foreign_fields(manifest.type, *raw, desired);
  if (foreign.empty()) return std::optional<Json>(project(manifest.type, std::move(*raw)));
  if (!is_reported)
    events_.drift(pipeline, manifest.type, manifest.key(), readable_path(*raw, foreign.front()),
                  other_manager(*raw, *raw, foreign.front(), kFieldManager));
  // Lists are replaced, so the version is the condition.
  Json patch = kube::merge_difference(*raw, remove_fields(*raw, foreign));
  patch["metadata"]["resourceVersion"] = kube::string_at(*raw, "metadata/resourceVersion");
  auto answer = client_.merge_patch(manifest.type, manifest.key(), patch);
  if (!answer.ok()) return std::move(answer).error();
  events_.wrote("apply", manifest.type, manifest.key());
  return std::optional<Json>(project(manifest.type, std::move(answer).value()));
}

Status Applier::hand_over_replicas(const render::Manifest& manifest) {
  auto raw = client_.get(manifest.type, manifest.key());
  if (!raw.ok()) {
    if (raw.error().code == Code::kNotFound) return {};
    return std::move(raw).error();
  }
  if (!applied_by(*raw, "spec/replicas", kFieldManager)) return {};
  // The version is the condition: an autoscaler's write in between must not be undone.
  const Json handover = {{"apiVersion", manifest.type.api_version()},
                         {"kind", manifest.type.kind},
                         {"metadata",
                          {{"name", manifest.key().name},
                           {"namespace", manifest.key().name_space},
                           {"resourceVersion", kube::string_at(*raw, "metadata/resourceVersion")}}},
                         {"spec", {{"replicas", kube::int_at(*raw, "spec/replicas", 1)}}}};
  SPANWAY_TRY([&]() -> Status {
    auto answer = client_.apply(manifest.type, handover, {.field_manager = kHandoverManager});
    if (!answer.ok()) return std::move(answer).error();
    return {};
  }());
  events_.wrote("apply", manifest.type, manifest.key());
  return {};
}

bool Applier::is_recheck_due(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  MutexLock lock(mutex_);
  if (not_kept_.empty()) return false;
  const auto found = not_kept_.find(place(type, key));
  return found != not_kept_.end() && clock_.now() - found->second.applied_at >= kNotKeptFor;
}

bool Applier::may_repair(const Json& pipeline, const render::Manifest& manifest) {
  using Admission = DriftLimiter::Admission;
  const Admission admission =
      limiter_.admit(key_of(pipeline), place(manifest.type, manifest.key()), clock_.now());
  if (admission == Admission::kLaterFirstTime)
    events_.contested(pipeline, manifest.type, manifest.key(), DriftLimiter::kEach);
  return admission == Admission::kNow;
}

Duration Applier::repair_due_in(const kube::ObjectKey& pipeline) {
  return limiter_.due_in(pipeline, clock_.now());
}

Status Applier::report_drift(const Json& pipeline, const render::Manifest& manifest,
                             const Drift& drift) {
  const auto raw = client_.get(manifest.type, manifest.key());
  if (!raw.ok() && raw.error().code == Code::kDeadlineExceeded) return raw.error();
  std::vector<std::string> foreign = drift.foreign;
  // The store's object has the same lists, unless it is behind.
  if (raw.ok()) foreign = foreign_fields(manifest.type, *raw, manifest.object);
  if (!foreign.empty()) {
    const std::string manager =
        raw.ok() ? other_manager(*raw, *raw, foreign.front(), kFieldManager) : "";
    events_.drift(pipeline, manifest.type, manifest.key(),
                  raw.ok() ? readable_path(*raw, foreign.front()) : foreign.front(), manager);
  }
  if (drift.fields.empty()) return {};
  const std::string& field = drift.fields.front().path;
  const std::string manager =
      raw.ok() ? other_manager(*raw, manifest.object, field, kFieldManager) : "";
  events_.drift(pipeline, manifest.type, manifest.key(), field, manager);
  return {};
}

Applier::Drift Applier::drift_of(const render::Manifest& manifest, const std::string& intent,
                                 const Json& live, const Json& desired) const {
  Drift drift{kube::differences(live, desired), foreign_fields(manifest.type, live, desired)};
  if (drift.empty()) return drift;
  MutexLock lock(mutex_);
  const auto found = not_kept_.find(place(manifest.type, manifest.key()));
  if (found == not_kept_.end() || found->second.intent != intent) return drift;
  const auto is_known = [&](const std::string& path, const Json& value) {
    const auto known = found->second.fields.find(path);
    return known != found->second.fields.end() &&
           (known->second.changes > kChangesMax ||
            known->second.live == kube::fingerprint_number(value));
  };
  std::erase_if(drift.fields, [&](const kube::Difference& difference) {
    return is_known(difference.path, difference.live);
  });
  std::erase_if(drift.foreign, [&](const std::string& path) {
    const Json* value = kube::find(live, path);
    return value != nullptr && is_known("+" + path, *value);
  });
  return drift;
}

void Applier::learn(const Json& pipeline, const render::Manifest& manifest,
                    const std::string& intent, const Json& answer, const Json& desired) {
  std::map<std::string, std::uint64_t> fields;
  for (const kube::Difference& difference : kube::differences(answer, desired))
    fields[difference.path] = kube::fingerprint_number(difference.live);
  for (const std::string& path : foreign_fields(manifest.type, answer, desired))
    if (const Json* value = kube::find(answer, path); value != nullptr)
      fields["+" + path] = kube::fingerprint_number(*value);
  std::vector<std::string> news;
  {
    MutexLock lock(mutex_);
    const std::string where = place(manifest.type, manifest.key());
    if (fields.empty()) {
      not_kept_.erase(where);
      return;
    }
    NotKept& known = not_kept_[where];
    if (known.intent != intent) known = {key_of(pipeline), intent, {}, {}};
    known.applied_at = clock_.now();
    for (const auto& [path, live] : fields) {
      const auto [value, is_new] = known.fields.try_emplace(path, NotKept::Value{live, 0});
      if (is_new) news.push_back(path);
      if (value->second.live != live) ++value->second.changes;
      value->second.live = live;
    }
  }
  for (const std::string& path : news) events_.not_kept(manifest.type, manifest.key(), path);
}

Status Applier::remove(const Json& pipeline, const kube::ResourceType& type, const Json& live) {
  const std::string uid = kube::string_at(live, "metadata/uid");
  if (controller_of(live) != kube::string_at(pipeline, "metadata/uid") || uid.empty()) return {};
  const kube::ObjectKey key = key_of(live);
  SPANWAY_TRY(client_.remove(type, key, uid));
  events_.wrote("delete", type, key);
  mutations_.removed(key_of(pipeline), type, key, live, stored(type, key));
  MutexLock lock(mutex_);
  not_kept_.erase(place(type, key));
  return {};
}

void Applier::forget(const kube::ObjectKey& pipeline) {
  limiter_.forget(pipeline);
  MutexLock lock(mutex_);
  mutations_.forget(pipeline);
  std::erase_if(not_kept_, [&](const auto& entry) { return entry.second.pipeline == pipeline; });
}

}  // namespace spanway::reconcile
