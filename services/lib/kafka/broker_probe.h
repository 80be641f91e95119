// Whether the brokers answer, and what they say of the subscribed topics. Private to
// services/lib/kafka.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/queries.h"

struct rd_kafka_s;

namespace spanway::kafka {

// ask() on one thread, which it blocks for at most a few times native::kQueryTimeoutMs; the rest
// from any.
class BrokerProbe {
 public:
  // One request may have gone to the one broker of three that hangs.
  static constexpr int kFailuresMax = 3;

  explicit BrokerProbe(std::vector<std::string> topics) : names_(std::move(topics)) {}

  Result<std::vector<native::TopicDescription>> ask(rd_kafka_s* handle,
                                                    const std::function<bool()>& stopping);
  // What ask() does with the answer, or without one.
  void answered(const std::vector<native::TopicDescription>& topics);
  void failed() noexcept;
  // A broker has answered something else.
  void heard() noexcept { heard_.store(true, std::memory_order_relaxed); }
  void all_down() noexcept { reachable_ = false; }

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
  std::atomic<bool> heard_{false};
  int failures_ = 0;  // In a row.
  mutable Mutex mutex_;
  std::vector<TopicState> topics_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
