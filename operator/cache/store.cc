#include "operator/cache/store.h"

#include <functional>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::kube {
namespace {

constexpr char kPipelineLabel[] = "metadata/labels/spanway.dev~1pipeline";
constexpr char kLastApplied[] = "kubectl.kubernetes.io/last-applied-configuration";

ObjectKey key_of(const Json& object) {
  return {string_at(object, "metadata/namespace"), string_at(object, "metadata/name")};
}

ObjectKey owner_of(const Json& object, const ObjectKey& key) {
  const std::string pipeline = string_at(object, kPipelineLabel);
  return pipeline.empty() ? key : ObjectKey{key.name_space, pipeline};
}

struct Hashes {
  std::uint64_t content = 0;
  std::uint64_t status = 0;
};
// Hashes of the stored fields without the version. Keyed by nothing a user controls: an edit that
// collides on purpose would go unnoticed.
Hashes hashes_of(Json kept) {
  Hashes out;
  if (!kept.is_object()) return out;
  const auto metadata = kept.find("metadata");
  if (metadata != kept.end() && metadata->is_object()) metadata->erase("resourceVersion");
  const auto status = kept.find("status");
  if (status != kept.end()) {
    out.status = fingerprint_number(*status);
    kept.erase(status);
  }
  out.content = fingerprint_number(kept);
  return out;
}

}  // namespace

Json without_bookkeeping(Json object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return object;
  metadata->erase("managedFields");
  const auto annotations = metadata->find("annotations");
  if (annotations == metadata->end() || !annotations->is_object()) return object;
  annotations->erase(kLastApplied);
  return object;
}

Store::Store(Projection projection, NamespaceFilter keeps_namespace)
    : projection_(std::move(projection)), keeps_namespace_(std::move(keeps_namespace)) {}

std::optional<Json> Store::get(const ObjectKey& key) const {
  std::string text;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    text = found->second.text;
  }
  // Parse outside of the lock: it takes longer than everything else here.
  auto object = parse_json(text, text.size());
  SPANWAY_CHECK(object.ok());
  return std::move(*object);
}

std::vector<Json> Store::of_owner(const ObjectKey& pipeline) const {
  std::vector<std::string> texts;
  {
    MutexLock lock(mutex_);
    const auto owned = by_owner_.find(pipeline);
    if (owned == by_owner_.end()) return {};
    for (const ObjectKey& key : owned->second) texts.push_back(entries_.at(key).text);
  }
  std::vector<Json> objects;
  objects.reserve(texts.size());
  for (const std::string& text : texts) {
    auto object = parse_json(text, text.size());
    SPANWAY_CHECK(object.ok());
    objects.push_back(std::move(*object));
  }
  return objects;
}

std::vector<ObjectKey> Store::keys() const {
  MutexLock lock(mutex_);
  std::vector<ObjectKey> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.push_back(key);
  return all;
}

std::vector<ObjectKey> Store::keys_of_owner(const ObjectKey& pipeline) const {
  MutexLock lock(mutex_);
  const auto owned = by_owner_.find(pipeline);
  if (owned == by_owner_.end()) return {};
  return {owned->second.begin(), owned->second.end()};
}

std::optional<Store::State> Store::state(const ObjectKey& key) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return State{found->second.resource_version, found->second.uid, found->second.content};
}

std::string Store::version() const {
  MutexLock lock(mutex_);
  return version_;
}

std::size_t Store::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

std::size_t Store::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

void Store::unlink(const ObjectKey& owner, const ObjectKey& key) {
  const auto owned = by_owner_.find(owner);
  if (owned == by_owner_.end()) return;
  owned->second.erase(key);
  if (owned->second.empty()) by_owner_.erase(owned);
}

void Store::upsert_locked(const Json& object, Owners& changed) {
  const ObjectKey key = key_of(object);
  // No object of the API is without a name; one that is cannot be found again.
  if (key.name.empty() || (keeps_namespace_ && !keeps_namespace_(key.name_space))) return;
  const std::string version = string_at(object, "metadata/resourceVersion");
  const std::string uid = string_at(object, "metadata/uid");
  const ObjectKey owner = owner_of(object, key);
  const auto found = entries_.find(key);
  const bool known = found != entries_.end() && found->second.uid == uid;
  if (found != entries_.end()) {
    if (found->second.resource_version == version && found->second.uid == uid && !version.empty())
      return;
    if (found->second.owner != owner) {
      changed.insert(found->second.owner);
      unlink(found->second.owner, key);
    }
    bytes_ -= found->second.text.size();
  }
  by_owner_[owner].insert(key);
  const Json kept = projection_ ? projection_(object) : object;
  const Hashes hashes = hashes_of(kept);
  if (!known || found->second.content != hashes.content || found->second.status != hashes.status ||
      found->second.owner != owner) {
    changed.insert(owner);
  }
  std::string text = to_text(kept);
  text.shrink_to_fit();
  bytes_ += text.size();
  entries_[key] = {std::move(text), uid, version, hashes.content, hashes.status, owner};
}

void Store::erase_locked(const ObjectKey& key, Owners& changed) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  changed.insert(found->second.owner);
  unlink(found->second.owner, key);
  bytes_ -= found->second.text.size();
  entries_.erase(found);
}

std::vector<ObjectKey> Store::upsert(const Json& object) {
  MutexLock lock(mutex_);
  Owners changed;
  upsert_locked(object, changed);
  if (std::string version = string_at(object, "metadata/resourceVersion"); !version.empty())
    version_ = std::move(version);
  return {changed.begin(), changed.end()};
}

std::vector<ObjectKey> Store::erase(const ObjectKey& key, const std::string& version) {
  MutexLock lock(mutex_);
  Owners changed;
  erase_locked(key, changed);
  if (!version.empty()) version_ = version;
  return {changed.begin(), changed.end()};
}

void Store::advance_to(const std::string& version) {
  MutexLock lock(mutex_);
  if (!version.empty()) version_ = version;
}

std::vector<ObjectKey> Store::replace(const std::vector<Json>& objects,
                                      const std::string& version) {
  MutexLock lock(mutex_);
  Owners changed;
  // A list may go back, to a server that is behind the last one.
  version_ = version;
  std::set<ObjectKey> there;
  for (const Json& object : objects) {
    there.insert(key_of(object));
    upsert_locked(object, changed);
  }
  std::vector<ObjectKey> gone;
  for (const auto& [key, entry] : entries_)
    if (there.count(key) == 0) gone.push_back(key);
  for (const ObjectKey& key : gone) erase_locked(key, changed);
  return {changed.begin(), changed.end()};
}

}  // namespace spanway::kube
