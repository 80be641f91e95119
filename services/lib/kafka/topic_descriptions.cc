#include "services/lib/kafka/topic_descriptions.h"

namespace spanway::kafka {
namespace {

Existing read_description(const rd_kafka_TopicDescription_t* description) {
  Existing topic;
  if (const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(description)) {
    topic.error = rd_kafka_error_code(error);
  }
  if (topic.error != RD_KAFKA_RESP_ERR_NO_ERROR) return topic;
  std::size_t count = 0;
  const rd_kafka_TopicPartitionInfo_t** partitions =
      rd_kafka_TopicDescription_partitions(description, &count);
  topic.partitions = static_cast<std::int32_t>(count);
  if (count == 0) return topic;
  std::size_t replicas = 0;
  rd_kafka_TopicPartitionInfo_replicas(partitions[0], &replicas);
  topic.replication_factor = static_cast<std::int32_t>(replicas);
  return topic;
}

}  // namespace

Topics read_descriptions(rd_kafka_event_t* event) {
  std::size_t count = 0;
  const rd_kafka_TopicDescription_t** found =
      rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
  Topics topics;
  for (std::size_t i = 0; i < count; ++i) {
    const Existing topic = read_description(found[i]);
    if (topic.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    topics[rd_kafka_TopicDescription_name(found[i])] = topic;
  }
  return topics;
}

bool exists(const Topics& topics, const std::string& name) {
  const auto found = topics.find(name);
  return found != topics.end() && found->second.partitions > 0;
}

}  // namespace spanway::kafka
