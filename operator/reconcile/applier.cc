#include "operator/reconcile/applier.h"

#include <algorithm>
#include <utility>

#include "operator/reconcile/field_owner.h"

namespace spanway::reconcile {
namespace {

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
  std::string path = "metadata/annotations/";
  for (const char c : std::string_view(api::kIntentAnnotation))
    path += c == '/' ? "~1" : std::string(1, c);
  return kube::string_at(object, path);
}

Error explained(Error error, const render::Manifest& manifest) {
  if (error.code == Code::kInvalidArgument && has_replicas(manifest.type) &&
      (error.message.find("immutable") != std::string::npos ||
       error.message.find("Forbidden") != std::string::npos)) {
    error.message += "; what cannot be changed in a " + std::string(manifest.type.kind) +
                     " was made by another version or by hand: delete it with --cascade=orphan, "
                     "and it is made anew around its pods";
  }
  return error;
}

}  // namespace

Applier::Applier(kube::Client& client, const Stores& stores, UnseenWrites& unseen,
                 const Events& events)
    : client_(client), stores_(stores), unseen_(unseen), events_(events) {}

std::optional<Json> Applier::live(const kube::ResourceType& type,
                                  const kube::ObjectKey& key) const {
  return unseen_.newest(type, key, stores_.get(type, key));
}

std::vector<Json> Applier::live_of(const kube::ResourceType& type,
                                   const kube::ObjectKey& pipeline) const {
  std::vector<Json> newest;
  for (Json& object : stores_.of_owner(type, pipeline)) {
    const kube::ObjectKey key = key_of(object);
    if (auto known = unseen_.newest(type, key, std::move(object)); known)
      newest.push_back(std::move(*known));
  }
  return newest;
}

std::string Applier::version(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  const auto state = stores_.state(type, key);
  return unseen_.newest_version(type, key, state ? state->version : "");
}

std::optional<std::uint64_t> Applier::made(const kube::ResourceType& type,
                                           const kube::ObjectKey& key) const {
  const auto state = stores_.state(type, key);
  if (!state || unseen_.newest_version(type, key, state->version) != state->version)
    return std::nullopt;
  return state->made;
}

Status Applier::check_owner(const Json& pipeline, const render::Manifest& manifest,
                            const Json& live) const {
  const std::string owner = controller_of(live);
  if (owner == kube::string_at(pipeline, "metadata/uid")) return {};
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

// The live object. One that the stores do not show is asked for: it may be somebody else's, without
// our labels, and must not be taken over.
Result<std::optional<Json>> Applier::look(const Json& pipeline, const render::Manifest& manifest) {
  std::optional<Json> known = live(manifest.type, manifest.key());
  if (!known) {
    auto raw = client_.get(manifest.type, manifest.key());
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
  const Json wanted = project(manifest.type, object);

  SPANWAY_ASSIGN(const std::optional<Json> known, look(pipeline, manifest));
  if (known) {
    const bool is_made_of_it = intent_of(*known) == intent;
    std::string field;
    if (kube::contains(*known, wanted, &field)) return false;
    if (is_made_of_it) {
      if (is_not_kept(manifest, intent, field)) return false;
      tell_drift(pipeline, manifest, field);
    }
    if (has_replicas(manifest.type) && kube::find(object, "spec/replicas") == nullptr)
      SPANWAY_TRY(hand_over_replicas(manifest));
  }
  auto answer = client_.apply(manifest.type, object, {.field_manager = kFieldManager});
  if (!answer.ok()) return explained(std::move(answer).error(), manifest);
  events_.wrote("apply", manifest.type, manifest.key());
  Json after = project(manifest.type, std::move(answer).value());
  learn(pipeline, manifest, intent, after, wanted);
  unseen_.wrote(manifest.type, manifest.key(), stores_.get(manifest.type, manifest.key()),
                std::move(after));
  return true;
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

void Applier::tell_drift(const Json& pipeline, const render::Manifest& manifest,
                         const std::string& field) {
  const auto raw = client_.get(manifest.type, manifest.key());
  const std::string manager =
      raw.ok() ? other_manager(*raw, manifest.object, field, kFieldManager) : "";
  events_.drift(pipeline, manifest.type, manifest.key(), field, manager);
}

bool Applier::is_not_kept(const render::Manifest& manifest, const std::string& intent,
                          const std::string& field) const {
  MutexLock lock(mutex_);
  const auto found = not_kept_.find(place(manifest.type, manifest.key()));
  return found != not_kept_.end() && found->second.intent == intent && found->second.field == field;
}

void Applier::learn(const Json& pipeline, const render::Manifest& manifest,
                    const std::string& intent, const Json& answer, const Json& wanted) {
  std::string field;
  const bool kept = kube::contains(answer, wanted, &field);
  {
    MutexLock lock(mutex_);
    const std::string where = place(manifest.type, manifest.key());
    if (kept) {
      not_kept_.erase(where);
      return;
    }
    not_kept_[where] = {key_of(pipeline), intent, field};
  }
  events_.not_kept(manifest.type, manifest.key(), field);
}

Status Applier::remove(const Json& pipeline, const kube::ResourceType& type, const Json& live) {
  const std::string uid = kube::string_at(live, "metadata/uid");
  if (controller_of(live) != kube::string_at(pipeline, "metadata/uid") || uid.empty()) return {};
  const kube::ObjectKey key = key_of(live);
  SPANWAY_TRY(client_.remove(type, key, uid));
  events_.wrote("delete", type, key);
  unseen_.wrote(type, key, stores_.get(type, key), std::nullopt);
  MutexLock lock(mutex_);
  not_kept_.erase(place(type, key));
  return {};
}

void Applier::forget(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  std::erase_if(not_kept_, [&](const auto& entry) { return entry.second.pipeline == pipeline; });
}

}  // namespace spanway::reconcile
