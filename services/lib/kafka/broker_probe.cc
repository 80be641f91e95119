#include "services/lib/kafka/broker_probe.h"

#include <librdkafka/rdkafka.h>

namespace spanway::kafka {

Result<std::vector<native::TopicDescription>> BrokerProbe::request(
    rd_kafka_s* handle, const std::atomic<bool>& stopping) {
  auto topics = native::describe_topics(handle, names_, [&stopping] { return stopping.load(); });
  if (topics.ok()) {
    on_answer(*topics);
  } else {
    on_failure();
  }
  return topics;
}

void BrokerProbe::on_answer(const std::vector<native::TopicDescription>& topics) {
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

// The last description of the topics is kept.
void BrokerProbe::on_failure() noexcept {
  if (has_traffic_.exchange(false)) {
    failures_ = 0;
    return;
  }
  if (++failures_ >= kFailuresMax) reachable_ = false;
}

}  // namespace spanway::kafka
