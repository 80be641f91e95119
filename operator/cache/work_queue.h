// The keys to reconcile. A key is queued at most once; one that is added while a worker processes
// it is queued again when that worker is done. Retries are rate-limited: 5 ms doubling to 60 s a
// key, and 10 a second with a burst of 100 for all (client-go's util/workqueue).
//
// Namespaces are served round-robin, and one whose API calls time out (a hanging webhook or
// aggregated API) cannot occupy all workers: a key that timed out backs off by seconds, and the
// keys of slow namespaces share `slow_workers_max` workers until one that timed out succeeds, or
// for two minutes.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::kube {

// Thread-safe. Bounded by the number of distinct keys.
class WorkQueue {
 public:
  explicit WorkQueue(const Clock& clock, std::size_t slow_workers_max = 1);

  void add(const ObjectKey& key);
  // The earliest of several times wins.
  void add_after(const ObjectKey& key, Duration wait);
  // add_after with the next wait of this key's back-off, or `at_least` (bounded by 60 s), which a
  // server has requested.
  void add_rate_limited(const ObjectKey& key, Duration at_least = Duration::zero());
  // add_after with 1 s doubling to 60 s: its API calls timed out.
  void add_timed_out(const ObjectKey& key);
  // The key has succeeded: resets its back-off.
  void forget(const ObjectKey& key);

  // Blocks until a key is due; nullopt once the queue is closed. Each returned key must be passed
  // to done().
  std::optional<ObjectKey> next();
  // Like next(), but does not wait; for tests.
  std::optional<ObjectKey> try_next();
  void done(const ObjectKey& key);
  // Wakes all waiting workers; no key is returned any more.
  void close();
  // Keys that are due and not being processed.
  std::size_t waiting() const;

 private:
  void add_locked(const ObjectKey& key) SPANWAY_REQUIRES(mutex_);
  void add_after_locked(const ObjectKey& key, Duration wait) SPANWAY_REQUIRES(mutex_);
  void move_due() SPANWAY_REQUIRES(mutex_);
  std::optional<ObjectKey> take() SPANWAY_REQUIRES(mutex_);
  void put_ready(const ObjectKey& key) SPANWAY_REQUIRES(mutex_);
  bool is_slow(const std::string& name_space) SPANWAY_REQUIRES(mutex_);
  // The namespace to serve next; the end when none may run.
  std::list<std::string>::iterator next_turn() SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  const std::size_t slow_workers_max_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool closed_ SPANWAY_GUARDED_BY(mutex_) = false;
  // By namespace; turns_ has the namespaces with ready keys.
  std::map<std::string, std::deque<ObjectKey>> ready_ SPANWAY_GUARDED_BY(mutex_);
  std::list<std::string> turns_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t waiting_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::set<ObjectKey> dirty_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, bool> processing_ SPANWAY_GUARDED_BY(mutex_);  // True = as a slow one.
  std::size_t slow_processing_ SPANWAY_GUARDED_BY(mutex_) = 0;
  // In a row, while slow ones waited.
  int fast_taken_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::map<std::string, SteadyTime> slow_until_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, int> timeouts_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, SteadyTime> delayed_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, int> failures_ SPANWAY_GUARDED_BY(mutex_);
  double tokens_ SPANWAY_GUARDED_BY(mutex_) = 100;
  SteadyTime refilled_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
