#include "services/lib/kafka/topic_metadata.h"

#include <librdkafka/rdkafka.h>

#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/queries.h"

namespace spanway::kafka {

Result<std::int32_t> TopicMetadata::partition_count(std::string_view topic) {
  std::shared_ptr<Topic> state;
  bool is_new = false;
  {
    MutexLock lock(mutex_);
    auto found = topics_.find(topic);
    is_new = found == topics_.end();
    if (is_new) found = topics_.emplace(topic, std::make_shared<Topic>()).first;
    state = found->second;
  }
  if (is_new) on_new_topic_();
  const std::int32_t partitions = state->partitions;
  if (partitions > 0) return partitions;
  const std::string what = "requesting metadata of topic " + std::string(topic);
  const int error = state->error;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_from_code(error, what);
  return unavailable(what + ": no broker has answered yet")
      .with_reason("kafka_unreachable")
      .with_retry_after(std::chrono::seconds(1));
}

TopicMetadata::Refreshed TopicMetadata::refresh(rd_kafka_t* handle,
                                                const std::function<bool()>& stopping) {
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics;
  {
    MutexLock lock(mutex_);
    topics = topics_;
  }
  Refreshed refreshed;
  for (const auto& [name, topic] : topics) {
    if (stopping()) return {.complete = false, .answered = false};
    const bool complete = refresh_topic(handle, name, *topic, stopping, refreshed.answered);
    refreshed.complete = refreshed.complete && complete;
  }
  return refreshed;
}

bool TopicMetadata::refresh_topic(rd_kafka_t* handle, const std::string& name, Topic& topic,
                                  const std::function<bool()>& stopping, bool& answered) {
  rd_kafka_topic_t* native_topic = rd_kafka_topic_new(handle, name.c_str(), nullptr);
  if (native_topic == nullptr) return false;
  native::Metadata metadata;
  const int error = native::fetch_metadata(handle, native_topic, stopping, metadata);
  rd_kafka_topic_destroy(native_topic);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // The last known count is right until the topic grows.
    if (error != RD_KAFKA_RESP_ERR__TRANSPORT && error != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      topic.error = error;
    }
    return false;
  }
  answered = true;
  if (metadata->topic_cnt != 1) return false;
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  const bool gone = found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                    found.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
  const bool known = found.partition_cnt > 0;
  topic.error = found.err;
  if ((known || gone) && topic.partitions.exchange(found.partition_cnt) != found.partition_cnt) {
    events_.partitions_changed(name, found.partition_cnt, rd_kafka_err2str(found.err));
  }
  return known;
}

}  // namespace spanway::kafka
