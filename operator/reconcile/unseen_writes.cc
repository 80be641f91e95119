#include "operator/reconcile/unseen_writes.h"

#include <utility>

namespace spanway::reconcile {
namespace {

constexpr Duration kBelieved = std::chrono::seconds(30);

std::string version_of(const std::optional<Json>& object) {
  return object ? kube::string_at(*object, "metadata/resourceVersion") : std::string();
}

}  // namespace

void UnseenWrites::wrote(const kube::ResourceType& type, const kube::ObjectKey& key,
                         const std::optional<Json>& seen, std::optional<Json> after) {
  MutexLock lock(mutex_);
  const SteadyTime now = clock_.now();
  // Those of objects that nobody asks for again would stay.
  if (now - swept_at_ > kBelieved) {
    std::erase_if(entries_, [now](const auto& entry) { return now - entry.second.at > kBelieved; });
    swept_at_ = now;
  }
  const Place place{std::string(type.plural), key};
  const std::string after_version = version_of(after);
  if (version_of(seen) == after_version) {
    entries_.erase(place);
    return;
  }
  const auto known = entries_.find(place);
  // Two writes on top of one sight: the store still shows what was there before the first.
  std::string seen_version =
      known != entries_.end() && known->second.after_version == version_of(seen)
          ? known->second.seen_version
          : version_of(seen);
  std::string text = after ? kube::to_text(*after) : std::string();
  text.shrink_to_fit();
  entries_[place] = {std::move(seen_version), after_version, std::move(text), now};
}

const UnseenWrites::Entry* UnseenWrites::entry_over(const Place& place,
                                                    const std::string& stored_version) {
  const auto found = entries_.find(place);
  if (found == entries_.end()) return nullptr;
  if (stored_version == found->second.seen_version && clock_.now() - found->second.at <= kBelieved)
    return &found->second;
  entries_.erase(found);
  return nullptr;
}

std::optional<Json> UnseenWrites::newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                                         std::optional<Json> stored) {
  std::string text;
  {
    MutexLock lock(mutex_);
    const Entry* entry = entry_over({std::string(type.plural), key}, version_of(stored));
    if (entry == nullptr) return stored;
    text = entry->after;
  }
  if (text.empty()) return std::nullopt;
  auto object = kube::parse_json(text, text.size());
  // What was written as text can be read.
  return object.ok() ? std::optional<Json>(std::move(object).value()) : std::nullopt;
}

std::string UnseenWrites::newest_version(const kube::ResourceType& type, const kube::ObjectKey& key,
                                         const std::string& stored_version) {
  MutexLock lock(mutex_);
  const Entry* entry = entry_over({std::string(type.plural), key}, stored_version);
  return entry == nullptr ? stored_version : entry->after_version;
}

std::size_t UnseenWrites::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace spanway::reconcile
