// Leader election over a Lease of coordination.k8s.io, as client-go does it (tools/leaderelection):
// one replica acts, the others wait.
//
// The API server does not fence: it accepts writes of a former leader. So a leader calls leading()
// before each write. leading() turns false renew_deadline after the last renewal was sent, even
// without an answer; a candidate acquires the Lease `duration` after it observed that renewal at
// the earliest. A write under way has the time between the two to finish.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "operator/json/json.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kube {

struct LeaseOptions {
  ObjectKey key;
  std::string identity;  // Unique among the replicas: the pod's name and something random.
  Duration duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry = std::chrono::seconds(2);
};

// `started` and `stopped` are called in turn on the thread of step(). When `stopped` returns,
// nothing may write any more: the Lease is given back after it.
struct LeaseCallbacks {
  std::function<void()> started;
  std::function<void()> stopped;
};

// leading() is thread-safe; step() and release() have one caller. The client should give up on
// requests well before renew_deadline; it, the clock and the telemetry outlive this.
class LeaderElection {
 public:
  LeaderElection(LeaseOptions options, Client& client, LeaseCallbacks callbacks, const Clock& clock,
                 Random random, telemetry::Telemetry telemetry);
  ~LeaderElection();

  // A thread that calls step(). stop() ends it, calls `stopped` and gives the Lease back.
  void start();
  void stop();

  bool leading() const noexcept;
  // One try to acquire or renew; returns the wait before the next. Called by the thread, or by
  // tests.
  Duration step();
  // Stops leading and releases the Lease, so that candidates need not wait for `duration`. One
  // request.
  void release();

 private:
  void run(const std::stop_token& stop);
  Status try_once();
  Status take_over(Json lease);
  Status create();
  void observe(const Json& lease, SteadyTime now);
  bool held_by_other(SteadyTime now) const;
  Json spec_of_mine(const Json& before) const;
  void won(SteadyTime sent_at, Json lease);
  void lose(const char* why);
  Duration candidate_wait();
  bool deadline_passed() const noexcept;

  const LeaseOptions options_;
  Client& client_;
  const LeaseCallbacks callbacks_;
  const Clock& clock_;
  Random random_;
  telemetry::Telemetry telemetry_;
  const telemetry::Gauge leader_gauge_;
  std::atomic<bool> holding_{false};
  std::atomic<Duration::rep> renewed_at_{0};
  Json lease_;     // The last answer to a write of ours; null = the next try reads it.
  Json observed_;  // The last spec read, and when it changed by our clock.
  SteadyTime observed_at_;
  std::jthread thread_;
};

}  // namespace spanway::kube
