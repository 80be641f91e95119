// How many connections a server may have, in all and per peer. For this module only.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/server.h"

namespace spanway::http {

// Thread-safe.
class ConnectionQuota {
 public:
  enum class Admission : unsigned char { kTaken, kTooMany, kTooManyOfPeer };

  explicit ConnectionQuota(const ServerLimits& limits) noexcept
      : connections_max_(limits.connections_max),
        per_peer_max_(limits.connections_per_peer_max > 0
                          ? limits.connections_per_peer_max
                          : limits.connections_max - limits.connections_max / 4) {}

  Admission take(const std::string& peer);
  void give_back(const std::string& peer);
  // Waits until nothing is taken; false when the deadline came first.
  bool wait_until_empty(Deadline deadline, const Clock& clock);

 private:
  const std::size_t connections_max_;
  const std::size_t per_peer_max_;
  Mutex mutex_;
  CondVar emptied_;
  std::size_t open_ SPANWAY_GUARDED_BY(mutex_) = 0;
  // At most connections_max entries.
  std::unordered_map<std::string, std::size_t> per_peer_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::http
