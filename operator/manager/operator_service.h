// The operator as a service: watches, elects a leader, and lets workers reconcile.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "operator/cache/reflector_pool.h"
#include "operator/cache/work_queue.h"
#include "operator/k8s/kube_client.h"
#include "operator/manager/discovery.h"
#include "operator/manager/fenced_client.h"
#include "operator/manager/settings.h"
#include "operator/reconcile/controller.h"
#include "operator/reconcile/events.h"
#include "services/lib/base/mutex.h"
#include "services/lib/runtime/service.h"

namespace spanway::kube {
class EventRecorder;
class LeaderElection;
}  // namespace spanway::kube

namespace spanway::manager {

// The period of the operator's timers, and the Lease's times (operator/k8s/lease.h).
struct OperatorTimes {
  Duration tick = std::chrono::seconds(1);
  Duration lease = std::chrono::seconds(15);
  Duration lease_renew_deadline = std::chrono::seconds(10);
  Duration lease_retry = std::chrono::seconds(2);
};

// The operator's dependencies; tests put fakes here. `access` only keeps alive what a client
// needs.
struct OperatorParts {
  std::shared_ptr<void> access;
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<reconcile::StatuszReader> statusz;
  std::string server = {};  // For messages.
  std::string identity;     // Unique among the replicas.
  std::string name_space;   // The operator's own.
  OperatorTimes times = {};
};

// See runtime::Service for the thread contract. Threads of its own: those of the reflector pool,
// `workers`, the Lease, Events, /statusz, Secrets, and one clock for the resync; the client's own.
//
// Every replica watches; only the leader writes, and checks before each single write that it still
// leads. One that loses the Lease ends with an error, so that no state survives.
class OperatorService final : public runtime::Service {
 public:
  OperatorService(const OperatorSettings& settings, OperatorParts parts, const Discovered& found,
                  const runtime::ServiceDeps& deps);
  ~OperatorService() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  // Ready once everything has been listed, leader or not; a standby is worth its place.
  Readiness readiness() const override;
  runtime::Statusz status() const override;
  Status fatal() const override;

 private:
  void make_reflectors();
  bool leads() const;
  bool may_begin() const;
  void begin_leading();
  void end_leading();
  void work(const std::stop_token& stop);
  void reconcile(const kube::ObjectKey& key);
  void keep_time(const std::stop_token& stop);
  void watch_pods(const std::stop_token& stop);
  void poll_secrets(const std::stop_token& stop);
  void add_all();
  // False when a stop was requested.
  bool wait_for(const std::stop_token& stop, Duration wait);

  const OperatorSettings settings_;
  OperatorParts parts_;
  const runtime::ServiceDeps deps_;
  FencedClient writer_;
  kube::WorkQueue queue_;
  std::unique_ptr<kube::EventRecorder> recorder_;
  reconcile::Events events_;
  reconcile::Stores stores_;
  reconcile::SecretsPoller secrets_;
  reconcile::StatuszMonitor monitor_;
  reconcile::Controller controller_;
  std::unique_ptr<kube::LeaderElection> election_;
  kube::ReflectorPool reflectors_;

  std::atomic<std::uint64_t> reconcile_ids_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> leading_{false};
  std::atomic<bool> lost_{false};
  Mutex mutex_;
  CondVar wakes_;
  // Reconciliations under way.
  int busy_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace spanway::manager
