// Mirrors one kind of the API server into a Store by list and watch, as client-go's reflector
// does (tools/cache/reflector.go): the first list is at resourceVersion "0", bookmarks advance the
// version, an expired version lists again at once and then with "" (quorum), 429 and lost
// connections back off and resume the watch from the same version: 800 ms doubling to 30 s with
// jitter, reset after two minutes without a failure. A watch that ends within a second without
// events counts as a failure.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "operator/cache/store.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kube {

struct ReflectorOptions {
  ResourceType type;
  std::string name_space;  // Empty = all.
  std::string label_selector;
};

// Has no thread of its own (reflector_pool.h calls step()). One step at a time, from any thread;
// the client, the store, the clock and the callback outlive it.
class Reflector {
 public:
  // `changed` is called with the owners of what has changed, on the thread of a step or on the
  // client's.
  using Changed = std::function<void(const ObjectKey& owner)>;
  // How long to wait before the next step.
  using Done = std::function<void(Duration wait)>;
  Reflector(ReflectorOptions options, Client& client, Store& store, Changed changed,
            const Clock& clock, Random random, telemetry::Telemetry telemetry);
  ~Reflector();
  // One list, or one watch to its end. `done` is called once: on this thread after a list, on the
  // client's after a watch.
  void step(Done done);
  // Ends a watch under way within a second (`done` follows) and starts no other; step() returns
  // after a list under way.
  void stop();
  // True once the first list is in the store; stays true.
  bool synced() const noexcept { return synced_; }
  // Lists and watches that failed; for tests and metrics.
  std::uint64_t failures() const noexcept { return failures_; }

 private:
  bool debugging() const;
  Duration step_list();
  void step_watch(Done done);
  Status list(const std::string& resource_version);
  Duration watch_ended(SteadyTime started, const Status& status);
  void take(const WatchEvent& event);
  void publish(const std::vector<ObjectKey>& owners);
  // Counts and logs; the wait before the next try.
  Duration failed(const char* what, const Error& error);

  const ReflectorOptions options_;
  Client& client_;
  Store& store_;
  const Changed changed_;
  const Clock& clock_;
  Random random_;
  Backoff backoff_;
  telemetry::Telemetry telemetry_;
  const telemetry::Counter failures_counter_;
  const telemetry::Gauge objects_gauge_;
  const telemetry::Gauge bytes_gauge_;
  std::string resource_version_ = "0";
  bool listed_ = false;          // The store holds the state at resource_version_ or later.
  bool expired_before_ = false;  // The last watch, too, ended with an expired version.
  std::uint64_t events_ = 0;     // Received by the current watch.
  SteadyTime failed_at_;
  std::atomic<bool> synced_{false};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<bool> stopped_{false};
  // The objects and bytes that this reflector has added to the gauges of its resource.
  double objects_counted_ = 0;
  double bytes_counted_ = 0;
  Mutex mutex_;
  std::unique_ptr<RunningWatch> watch_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
