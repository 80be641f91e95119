#include "services/query/store/s3/byte_cache.h"

#include <utility>

namespace spanway::query {
namespace {

// The places of an entry in the list and the map.
constexpr std::size_t kEntryBytes = 128;

}  // namespace

std::size_t ByteCache::Entry::bytes() const noexcept {
  return kEntryBytes + key.size() + value->size();
}

ByteCache::ByteCache(std::size_t bytes_max, Permit permit)
    : bytes_max_(bytes_max), permit_(std::move(permit)) {}

std::shared_ptr<const std::string> ByteCache::find(std::string_view key) {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return entries_.front().value;
}

void ByteCache::put(std::string_view key, std::shared_ptr<const std::string> value) {
  Entry entry{.key = std::string(key), .value = std::move(value)};
  const std::size_t bytes = entry.bytes();
  MutexLock lock(mutex_);
  if (bytes > bytes_max_ || by_key_.contains(key)) return;
  while (bytes_ + bytes > bytes_max_) drop_oldest();
  if (!permit_.grow_to(bytes_ + bytes)) return;
  bytes_ += bytes;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
}

void ByteCache::drop_oldest() {
  bytes_ -= entries_.back().bytes();
  by_key_.erase(entries_.back().key);
  entries_.pop_back();
  permit_.shrink_to(bytes_);
}

}  // namespace spanway::query
