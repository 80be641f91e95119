#include "services/lib/kafka/membership.h"

#include <numeric>
#include <utility>

namespace spanway::kafka {

void Membership::assigned(std::size_t partitions_now) {
  MutexLock lock(mutex_);
  member_ = admitted_ = true;
  assigned_count_ = partitions_now;
  refusal_.clear();
}

void Membership::revoked(std::size_t partitions_now) {
  MutexLock lock(mutex_);
  assigned_count_ = partitions_now;
}

void Membership::lost() {
  MutexLock lock(mutex_);
  member_ = false;
  assigned_count_ = 0;
}

void Membership::refused(std::string reason) {
  MutexLock lock(mutex_);
  refusal_ = std::move(reason);
}

Assignment Membership::state(const std::vector<TopicState>& topics) const {
  const std::int64_t existing = std::accumulate(
      topics.begin(), topics.end(), std::int64_t{0},
      [](std::int64_t sum, const TopicState& topic) { return sum + topic.partitions; });
  MutexLock lock(mutex_);
  if (!refusal_.empty()) {
    return {false, refusal_};
  }
  if (existing == 0 || assigned_count_ > 0) return {true, ""};
  const std::string none =
      "no partition is assigned although " + std::to_string(existing) + " exist";
  if (!member_) return {false, none + ": the group has not admitted this consumer yet"};
  return {true, none + ": they are assigned to the other members of the group"};
}

bool Membership::never_admitted() const {
  MutexLock lock(mutex_);
  return !admitted_ && !refusal_.empty();
}

}  // namespace spanway::kafka
