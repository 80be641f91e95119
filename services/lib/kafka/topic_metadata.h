// The number of partitions of each topic that a producer writes to. Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/events.h"

struct rd_kafka_s;

namespace spanway::kafka {

// Thread-safe; refresh() on one thread. Memory: a few words for each topic that was ever requested,
// which are those of the configuration.
class TopicMetadata {
 public:
  // `on_new_topic`: a topic was requested for the first time, refresh() soon. Called without a
  // lock.
  TopicMetadata(ProducerEvents& events, std::function<void()> on_new_topic)
      : events_(events), on_new_topic_(std::move(on_new_topic)) {}

  // Never blocks. UNAVAILABLE until the first answer; NOT_FOUND when the brokers have no such
  // topic.
  Result<std::int32_t> partition_count(std::string_view topic);

  struct Refreshed {
    bool complete = true;   // Every topic has partitions.
    bool answered = false;  // By a broker, for one of them at least.
  };
  // Requests every topic; blocks for at most native::kQueryTimeoutMs each. A topic keeps its last
  // known count while no broker answers.
  Refreshed refresh(rd_kafka_s* handle, const std::function<bool()>& stopping);

 private:
  struct Topic {
    std::atomic<std::int32_t> partitions{0};
    std::atomic<int> error{0};  // rd_kafka_resp_err_t.
  };
  // True when it has partitions.
  bool refresh_topic(rd_kafka_s* handle, const std::string& name, Topic& topic,
                     const std::function<bool()>& stopping, bool& answered);

  ProducerEvents& events_;
  const std::function<void()> on_new_topic_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
