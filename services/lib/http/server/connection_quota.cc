#include "services/lib/http/server/connection_quota.h"

#include <algorithm>

namespace spanway::http {

ConnectionQuota::Admission ConnectionQuota::take(const std::string& peer) {
  MutexLock lock(mutex_);
  if (open_ >= connections_max_) return Admission::kTooMany;
  std::size_t& of_peer = per_peer_[peer];
  if (of_peer >= per_peer_max_) return Admission::kTooManyOfPeer;
  ++of_peer;
  ++open_;
  return Admission::kTaken;
}

void ConnectionQuota::give_back(const std::string& peer) {
  MutexLock lock(mutex_);
  --open_;
  if (const auto found = per_peer_.find(peer); found != per_peer_.end() && --found->second == 0)
    per_peer_.erase(found);
  if (open_ == 0) emptied_.notify_all();
}

bool ConnectionQuota::wait_until_empty(Deadline deadline, const Clock& clock) {
  MutexLock lock(mutex_);
  while (open_ > 0) {
    const Duration left = deadline.remaining(clock.now());
    if (left <= Duration::zero()) return false;
    emptied_.wait_for(mutex_, std::min(left, Duration(std::chrono::milliseconds(100))));
  }
  return true;
}

}  // namespace spanway::http
