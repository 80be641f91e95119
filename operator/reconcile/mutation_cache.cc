#include "operator/reconcile/mutation_cache.h"

#include <utility>

namespace spanway::reconcile {
namespace {

constexpr Duration kBelieved = std::chrono::seconds(30);

// False also when they cannot be compared.
bool is_less(const std::string& a, const std::string& b) {
  const auto order = kube::compare_versions(a, b);
  return order && *order < 0;
}

}  // namespace

void MutationCache::wrote(const kube::ObjectKey& pipeline, const kube::ResourceType& type,
                          const kube::ObjectKey& key, const Json& answer, const Stored& stored) {
  std::string text = kube::to_text(answer);
  text.shrink_to_fit();
  MutexLock lock(mutex_);
  put({std::string(type.plural), key},
      {.pipeline = pipeline,
       .version = kube::string_at(answer, "metadata/resourceVersion"),
       .removed_uid = {},
       .text = std::move(text),
       .at = clock_.now()},
      stored);
}

void MutationCache::removed(const kube::ObjectKey& pipeline, const kube::ResourceType& type,
                            const kube::ObjectKey& key, const Json& deleted, const Stored& stored) {
  MutexLock lock(mutex_);
  put({std::string(type.plural), key},
      {.pipeline = pipeline,
       .version = kube::string_at(deleted, "metadata/resourceVersion"),
       .removed_uid = kube::string_at(deleted, "metadata/uid"),
       .text = {},
       .at = clock_.now()},
      stored);
}

void MutationCache::put(Place place, Entry entry, const Stored& stored) {
  if (const auto known = entries_.find(place); known != entries_.end()) drop(known);
  if (!is_newer(entry, stored)) return;
  Pending& pending = pending_[entry.pipeline];
  ++pending.entries;
  pending.last = entry.at;
  entries_.emplace(std::move(place), std::move(entry));
}

MutationCache::Entries::iterator MutationCache::drop(Entries::iterator entry) {
  const auto pending = pending_.find(entry->second.pipeline);
  if (pending != pending_.end() && --pending->second.entries == 0) pending_.erase(pending);
  return entries_.erase(entry);
}

bool MutationCache::is_newer(const Entry& entry, const Stored& stored) const {
  // A delete is not answered with a version: it is over when the store shows a later object, or
  // none although it has come as far as what was deleted.
  if (!entry.removed_uid.empty() && !stored.version.empty())
    return stored.uid == entry.removed_uid || is_less(stored.version, entry.version);
  if (!stored.version.empty() && !is_less(stored.version, entry.version)) return false;
  return is_less(stored.store_version, entry.version);
}

const MutationCache::Entry* MutationCache::entry_over(const Place& place, const Stored& stored) {
  const auto found = entries_.find(place);
  if (found == entries_.end()) return nullptr;
  if (clock_.now() - found->second.at < kBelieved && is_newer(found->second, stored))
    return &found->second;
  drop(found);
  return nullptr;
}

std::optional<Json> MutationCache::newest(const kube::ResourceType& type,
                                          const kube::ObjectKey& key, const Stored& stored,
                                          std::optional<Json> object) {
  std::string text;
  {
    MutexLock lock(mutex_);
    const Entry* entry = entry_over({std::string(type.plural), key}, stored);
    if (entry == nullptr) return object;
    text = entry->text;
  }
  if (text.empty()) return std::nullopt;
  auto parsed = kube::parse_json(text, text.size());
  // Own text always parses.
  return parsed.ok() ? std::optional<Json>(std::move(parsed).value()) : std::nullopt;
}

std::string MutationCache::newest_version(const kube::ResourceType& type,
                                          const kube::ObjectKey& key, const Stored& stored) {
  MutexLock lock(mutex_);
  const Entry* entry = entry_over({std::string(type.plural), key}, stored);
  if (entry == nullptr) return stored.version;
  return entry->removed_uid.empty() ? entry->version : std::string();
}

Duration MutationCache::expires_in(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  const auto pending = pending_.find(pipeline);
  if (pending == pending_.end()) return Duration::zero();
  const Duration left = pending->second.last + kBelieved - clock_.now();
  if (left > Duration::zero()) return left;
  // Objects that no reconciliation reads any more.
  for (auto entry = entries_.begin(); entry != entries_.end();)
    entry = entry->second.pipeline == pipeline ? drop(entry) : std::next(entry);
  return Duration::zero();
}

void MutationCache::forget(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  if (!pending_.contains(pipeline)) return;
  for (auto entry = entries_.begin(); entry != entries_.end();)
    entry = entry->second.pipeline == pipeline ? drop(entry) : std::next(entry);
}

std::size_t MutationCache::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace spanway::reconcile
