#include "services/lib/sinks/loki/stored_requests.h"

#include <functional>
#include <utility>

namespace spanway::sinks {

std::uint64_t StoredRequests::key_of(std::string_view tenant, std::string_view body) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  const std::hash<std::string_view> hash;
  return hash(body) ^ (hash(tenant) * kOdd);
}

bool StoredRequests::contains(std::uint64_t key) const {
  MutexLock lock(mutex_);
  return clock_.now() - since_ < 2 * kKept && (newer_.contains(key) || older_.contains(key));
}

void StoredRequests::add(const std::vector<std::uint64_t>& keys) {
  MutexLock lock(mutex_);
  for (const std::uint64_t key : keys) {
    const SteadyTime now = clock_.now();
    if (newer_.size() >= kKeysMax || now - since_ >= kKept) {
      older_ = now - since_ < 2 * kKept ? std::move(newer_) : Keys();
      newer_ = Keys();
      since_ = now;
    }
    newer_.insert(key);
  }
}

}  // namespace spanway::sinks
