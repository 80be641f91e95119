// Requests to the brokers that block until they are answered. Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/native.h"

struct rd_kafka_s;
struct rd_kafka_topic_s;
struct rd_kafka_metadata;
struct rd_kafka_topic_partition_s;

namespace spanway::kafka::native {

PartitionList list_of(const std::vector<TopicPartition>& partitions);
std::vector<TopicPartition> partitions_of(const struct rd_kafka_topic_partition_list_s* list);

inline constexpr int kQueryTimeoutMs = 2000;  // Per request; describe_topics() sends two.

struct MetadataDeleter {
  void operator()(const struct rd_kafka_metadata* metadata) const noexcept;
};
using Metadata = std::unique_ptr<const struct rd_kafka_metadata, MetadataDeleter>;
// The brokers as one of them describes them, and `topic` unless it is null. Returns an
// rd_kafka_resp_err_t. While no broker is connected it ends within 100 ms once `stopping` returns
// true.
int fetch_metadata(rd_kafka_s* handle, rd_kafka_topic_s* topic,
                   const std::function<bool()>& stopping, Metadata& metadata);

// The id of a broker that answers now.
Result<std::int32_t> answering_broker(rd_kafka_s* handle, const std::function<bool()>& stopping);

struct TopicDescription {
  std::string name;
  std::string id;               // Differs after the topic was deleted and created again.
  std::int32_t partitions = 0;  // 0 when there is an error.
  int error = 0;                // rd_kafka_resp_err_t.
};
// Never creates a topic. An error of one topic is in its description.
Result<std::vector<TopicDescription>> describe_topics(rd_kafka_s* handle,
                                                      const std::vector<std::string>& names,
                                                      const std::function<bool()>& stopping);

struct LogOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
};
struct LogOffsets {
  std::map<TopicPartition, LogOffset> found;
  Status status;  // The first failure.
};
enum class LogEnd { kFirst, kLast };
// kLast with `read_committed`: the last stable offset.
LogOffsets list_offsets(rd_kafka_s* handle, const std::vector<TopicPartition>& partitions,
                        LogEnd end, bool read_committed);

// Both ends of each partition that is answered for; returns early once `stopping` is set.
std::map<TopicPartition, Watermarks> list_watermarks(rd_kafka_s* handle,
                                                     const std::vector<TopicPartition>& partitions,
                                                     bool read_committed,
                                                     const std::atomic<bool>& stopping);

struct GroupOffset {
  TopicPartition partition;
  std::int64_t offset = -1;  // -1: none is committed.
  std::int32_t leader_epoch = -1;
  std::string metadata;
};
// An offset to commit, in an entry of librdkafka's list.
void fill(rd_kafka_topic_partition_s* entry, std::int64_t offset, std::int32_t leader_epoch,
          const std::string& metadata);
// Offsets of the handle's group, all or an error.
Result<std::vector<GroupOffset>> committed_offsets(rd_kafka_s* handle,
                                                   const std::vector<TopicPartition>& partitions);
Status commit_offsets(rd_kafka_s* handle, const std::vector<GroupOffset>& offsets);

// Moves the fetch position of assigned partitions; a position with a leader epoch is checked by the
// partition's leader before anything is fetched, and corrected to the offset of divergence. Returns
// those that were not assigned yet or not reached in time; the others are done. Records that were
// fetched before are dropped.
std::vector<GroupOffset> seek(rd_kafka_s* handle, std::vector<GroupOffset> positions);
inline constexpr std::int64_t kLogStart = -2;  // For GroupOffset::offset of seek().

}  // namespace spanway::kafka::native
