#include "services/lib/kafka/broker_probe.h"

#include <librdkafka/rdkafka.h>

namespace spanway::kafka {

Result<std::vector<native::TopicDescription>> BrokerProbe::ask(
    rd_kafka_s* handle, const std::function<bool()>& stopping) {
  auto topics = native::describe_topics(handle, names_, stopping);
  if (topics.ok()) {
    answered(*topics);
  } else {
    failed();
  }
  return topics;
}

void BrokerProbe::answered(const std::vector<native::TopicDescription>& topics) {
  failures_ = 0;
  reachable_ = true;
  connected_once_ = true;
  std::vector<TopicState> states;
  for (const native::TopicDescription& topic : topics) {
    TopicState& state = states.emplace_back();
    state.name = topic.name;
    state.partitions = topic.partitions;
    if (topic.error != 0) {
      state.error = rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(topic.error));
    }
  }
  MutexLock lock(mutex_);
  topics_ = std::move(states);
}

// What is known of the topics stays.
void BrokerProbe::failed() noexcept {
  if (heard_.exchange(false)) {
    failures_ = 0;
    return;
  }
  if (++failures_ >= kFailuresMax) reachable_ = false;
}

}  // namespace spanway::kafka
