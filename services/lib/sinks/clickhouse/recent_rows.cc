#include "services/lib/sinks/clickhouse/recent_rows.h"

#include <utility>

namespace spanway::sinks {

bool RecentRows::contains(std::uint64_t identity) const {
  MutexLock lock(mutex_);
  rotate_if_due();
  return newer_.contains(identity) || older_.contains(identity);
}

void RecentRows::add(std::span<const std::uint64_t> identities) {
  MutexLock lock(mutex_);
  for (const std::uint64_t identity : identities) {
    rotate_if_due();
    newer_.insert(identity);
  }
}

void RecentRows::rotate_if_due() const {
  const SteadyTime now = clock_.now();
  const Duration age = now - started_;
  if (age < kKeep / 2 && newer_.size() < kRowsMax / 2) return;
  // After a long silence, what is in the newer half is old as well.
  older_ = age < kKeep ? std::move(newer_) : std::unordered_set<std::uint64_t>();
  newer_.clear();
  started_ = now;
}

}  // namespace spanway::sinks
