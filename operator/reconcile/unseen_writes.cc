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
  // Those of objects that nobody asks for again would stay.
  std::erase_if(entries_, [now = clock_.now()](const auto& entry) {
    return now - entry.second.at > kBelieved;
  });
  const Place place{std::string(type.plural), key};
  if (version_of(seen) == version_of(after)) {
    entries_.erase(place);
    return;
  }
  const auto known = entries_.find(place);
  // Two writes on top of one sight: the store still shows what was there before the first.
  std::string seen_version =
      known != entries_.end() && version_of(known->second.after) == version_of(seen)
          ? known->second.seen_version
          : version_of(seen);
  entries_[place] = {std::move(seen_version), std::move(after), clock_.now()};
}

std::optional<Json> UnseenWrites::newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                                         std::optional<Json> stored) {
  MutexLock lock(mutex_);
  const auto found = entries_.find({std::string(type.plural), key});
  if (found == entries_.end()) return stored;
  if (version_of(stored) != found->second.seen_version ||
      clock_.now() - found->second.at > kBelieved) {
    entries_.erase(found);
    return stored;
  }
  return found->second.after;
}

std::size_t UnseenWrites::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace spanway::reconcile
