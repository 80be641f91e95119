// The state of the store, by the results of queries and probes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"

namespace spanway::query {

// Thread-safe.
class StoreHealth {
 public:
  struct Snapshot {
    std::optional<bool> reachable;  // Unset before the first answer or failure.
    std::string last_error;         // Stays after a success.
    std::string last_error_reason;
    std::optional<SystemTime> last_error_time;
    std::optional<SystemTime> last_query;
  };
  // Called with the lock held, on the thread of a query or probe: it must not call back.
  using Changed = std::function<void(const Snapshot&)>;

  // `changed` is called each time that `reachable` changes, its first value included.
  explicit StoreHealth(const Clock& clock, Changed changed = {})
      : clock_(clock), changed_(std::move(changed)) {}

  // The end of a query of a client. Errors of the client and of limits, and a cancelled query, say
  // nothing about the store.
  void query_ended(const Status& result);
  void probe_ended(const Status& result);
  Snapshot snapshot() const;
  // True when no query or probe has shown its state for so long.
  bool is_idle_for(Duration time) const;

 private:
  void ended(const Status& result) SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  const Changed changed_;
  mutable Mutex mutex_;
  Snapshot state_ SPANWAY_GUARDED_BY(mutex_);
  std::optional<SteadyTime> last_end_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
