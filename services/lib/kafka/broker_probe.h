// Reachability of the brokers, and the subscribed topics as they describe them. Private to
// services/lib/kafka.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/queries.h"

struct rd_kafka_s;

namespace spanway::kafka {

// request() on one thread, which it blocks for at most a few times native::kQueryTimeoutMs; the
// others are thread-safe.
class BrokerProbe {
 public:
  // A single request may have been sent to the one broker of three that hangs.
  static constexpr int kFailuresMax = 3;

  explicit BrokerProbe(std::vector<std::string> topics) : names_(std::move(topics)) {}

  Result<std::vector<native::TopicDescription>> request(rd_kafka_s* handle,
                                                        const std::atomic<bool>& stopping);
  // Called by request() with the answer, or without one.
  void on_answer(const std::vector<native::TopicDescription>& topics);
  void on_failure() noexcept;
  // A broker has answered another request.
  void on_traffic() noexcept { has_traffic_.store(true, std::memory_order_relaxed); }
  void on_all_brokers_down() noexcept { reachable_ = false; }

  bool connected_once() const noexcept { return connected_once_; }
  bool reachable() const noexcept { return reachable_; }
  std::vector<TopicState> topics() const {
    MutexLock lock(mutex_);
    return topics_;
  }

 private:
  const std::vector<std::string> names_;
  std::atomic<bool> connected_once_{false};
  std::atomic<bool> reachable_{false};
  std::atomic<bool> has_traffic_{false};  // Since the last failure.
  int failures_ = 0;                      // In a row.
  mutable Mutex mutex_;
  std::vector<TopicState> topics_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
