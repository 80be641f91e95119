// Keeps a Store equal to what the API server has: list, watch, and again, as client-go's reflector
// does (tools/cache/reflector.go): first list at resourceVersion "0", bookmarks move the version,
// an expired version lists again at once and once with "" (quorum), 429 and lost connections back
// off and watch on from the same version, 800 ms doubling to 30 s with jitter, reset after two
// minutes of health. A watch that ends within a second without events counts as a failure.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "operator/cache/store.h"
#include "operator/k8s/client.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kube {

struct ReflectorOptions {
  ResourceType type;
  std::string name_space;  // Empty = all.
  std::string label_selector;
};

// Starts its thread in start(); stop() ends a watch or a wait within a second, a list under way is
// waited for. The client, the store, the clock and the callback outlive it.
class Reflector {
 public:
  // `changed` is called on the reflector's thread with the owners of what has changed.
  using Changed = std::function<void(const ObjectKey& owner)>;
  Reflector(ReflectorOptions options, Client& client, Store& store, Changed changed,
            const Clock& clock, Random random, telemetry::Telemetry telemetry);
  ~Reflector();
  void start();
  void stop();
  // True once the first list is in the store; stays true.
  bool synced() const noexcept { return synced_; }
  // Lists and watches that failed; for tests and metrics.
  std::uint64_t failures() const noexcept { return failures_; }
  // One list, or one watch to its end; how long to wait before the next. What the thread calls, and
  // tests instead of it.
  Duration step(const std::stop_token& stop);

 private:
  void run(const std::stop_token& stop);
  Duration step_list();
  Duration step_watch(const std::stop_token& stop);
  Status list(const std::string& resource_version);
  Status watch(const std::stop_token& stop);
  void take(const WatchEvent& event);
  void tell(const std::vector<ObjectKey>& owners);
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
  std::uint64_t events_ = 0;     // Of this watch.
  SteadyTime failed_at_;
  std::atomic<bool> synced_{false};
  std::atomic<std::uint64_t> failures_{0};
  std::jthread thread_;
};

}  // namespace spanway::kube
