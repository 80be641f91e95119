#include "services/lib/kafka/queries.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka::native {
namespace {

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const noexcept { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, EventDeleter>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)>;

Options make_options(rd_kafka_t* handle, rd_kafka_admin_op_t operation) {
  char text[256];
  Options options(rd_kafka_AdminOptions_new(handle, operation), rd_kafka_AdminOptions_destroy);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kQueryTimeoutMs, text, sizeof(text));
  return options;
}

// The library answers by itself after the request's timeout; the margin is for that.
Event wait(rd_kafka_queue_t* queue) {
  return Event(rd_kafka_queue_poll(queue, kQueryTimeoutMs + kQueryTimeoutMs / 4));
}

Status status_of(const Event& event, std::string_view what) {
  if (!event) return error_from_code(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return ok_status();
  const char* detail = rd_kafka_event_error_string(event.get());
  return error_from_code(error, std::string(what) + (detail == nullptr ? "" : ": ") +
                                    (detail == nullptr ? "" : detail));
}

std::string id_of(const rd_kafka_TopicDescription_t* topic) {
  const rd_kafka_Uuid_t* id = rd_kafka_TopicDescription_topic_id(topic);
  if (id == nullptr) return "";
  return std::to_string(rd_kafka_Uuid_most_significant_bits(id)) + ":" +
         std::to_string(rd_kafka_Uuid_least_significant_bits(id));
}

PartitionList list_of(const std::vector<GroupOffset>& offsets) {
  PartitionList list = make_partition_list(static_cast<int>(offsets.size()));
  for (const GroupOffset& offset : offsets) {
    rd_kafka_topic_partition_t* entry = rd_kafka_topic_partition_list_add(
        list.get(), offset.partition.topic.c_str(), offset.partition.partition);
    fill(entry, offset.offset, offset.leader_epoch, offset.metadata);
  }
  return list;
}

}  // namespace

PartitionList list_of(const std::vector<TopicPartition>& partitions) {
  PartitionList list = make_partition_list(static_cast<int>(partitions.size()));
  for (const TopicPartition& p : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), p.topic.c_str(), p.partition);
  }
  return list;
}

std::vector<TopicPartition> partitions_of(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  partitions.reserve(static_cast<std::size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) {
    partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  }
  return partitions;
}

void fill(rd_kafka_topic_partition_s* entry, std::int64_t offset, std::int32_t leader_epoch,
          const std::string& metadata) {
  entry->offset = offset;
  rd_kafka_topic_partition_set_leader_epoch(entry, leader_epoch);
  if (metadata.empty()) return;
  entry->metadata_size = metadata.size();
  entry->metadata = std::malloc(metadata.size());  // Freed with the list, by free().
  std::copy(metadata.begin(), metadata.end(), static_cast<char*>(entry->metadata));
}

void MetadataDeleter::operator()(const rd_kafka_metadata_t* metadata) const noexcept {
  rd_kafka_metadata_destroy(metadata);
}

// The library's call cannot be interrupted. While no broker is connected it fails with __TRANSPORT
// and has sent nothing, so that short tries lose nothing; once one is, the answer gets the rest of
// the time.
int fetch_metadata(rd_kafka_t* handle, rd_kafka_topic_t* topic,
                   const std::function<bool()>& stopping, Metadata& metadata) {
  constexpr int kFirstTryMs = 10;
  constexpr int kTryMsMax = 100;
  int spent_ms = 0;
  int try_ms = kFirstTryMs;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TRANSPORT;
  while (spent_ms < kQueryTimeoutMs && !stopping()) {
    const rd_kafka_metadata_t* found = nullptr;
    error = rd_kafka_metadata(handle, 0, topic, &found, try_ms);
    metadata.reset(found);
    spent_ms += try_ms;
    if (error == RD_KAFKA_RESP_ERR__TRANSPORT) {
      try_ms = std::min(try_ms * 2, kTryMsMax);
    } else if (error == RD_KAFKA_RESP_ERR__TIMED_OUT) {
      try_ms = std::max(kQueryTimeoutMs - spent_ms, kTryMsMax);
    } else {
      break;
    }
  }
  return error;
}

// The id of a broker that answers now. By default the library sends DescribeTopics to the
// controller and waits for that one without need.
Result<std::int32_t> answering_broker(rd_kafka_t* handle, const std::function<bool()>& stopping) {
  Metadata metadata;
  const int error = fetch_metadata(handle, nullptr, stopping, metadata);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error_from_code(error, "requesting the brokers");
  std::int32_t id = metadata->orig_broker_id;  // -1: its id was unknown when the request was sent.
  if (id < 0 && metadata->broker_cnt > 0) id = metadata->brokers[0].id;
  if (id < 0) return error_from_code(RD_KAFKA_RESP_ERR__TRANSPORT, "requesting the brokers");
  return id;
}

Result<std::vector<TopicDescription>> describe_topics(rd_kafka_t* handle,
                                                      const std::vector<std::string>& names,
                                                      const std::function<bool()>& stopping) {
  std::int32_t broker = -1;
  SPANWAY_ASSIGN(broker, answering_broker(handle, stopping));
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  const std::unique_ptr<rd_kafka_TopicCollection_t, void (*)(rd_kafka_TopicCollection_t*)> topics(
      rd_kafka_TopicCollection_of_topic_names(texts.data(), texts.size()),
      rd_kafka_TopicCollection_destroy);
  const Queue queue(rd_kafka_queue_new(handle));
  const Options options = make_options(handle, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
  char text[256];
  rd_kafka_AdminOptions_set_broker(options.get(), broker, text, sizeof(text));
  rd_kafka_DescribeTopics(handle, topics.get(), options.get(), queue.get());
  const Event event = wait(queue.get());
  SPANWAY_TRY(status_of(event, "describing topics"));
  std::size_t count = 0;
  const rd_kafka_TopicDescription_t** found = rd_kafka_DescribeTopics_result_topics(
      rd_kafka_event_DescribeTopics_result(event.get()), &count);
  std::vector<TopicDescription> described;
  for (std::size_t i = 0; i < count; ++i) {
    TopicDescription& topic = described.emplace_back();
    topic.name = rd_kafka_TopicDescription_name(found[i]);
    const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(found[i]);
    topic.error = error == nullptr ? 0 : rd_kafka_error_code(error);
    if (topic.error != 0) continue;
    std::size_t partitions = 0;
    rd_kafka_TopicDescription_partitions(found[i], &partitions);
    topic.partitions = static_cast<std::int32_t>(partitions);
    topic.id = id_of(found[i]);
  }
  return described;
}

LogOffsets list_offsets(rd_kafka_t* handle, const std::vector<TopicPartition>& partitions,
                        LogEnd end, bool read_committed) {
  LogOffsets offsets;
  if (partitions.empty()) return offsets;
  const PartitionList list = make_partition_list(static_cast<int>(partitions.size()));
  for (const TopicPartition& p : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), p.topic.c_str(), p.partition)->offset =
        end == LogEnd::kFirst ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
  }
  const Queue queue(rd_kafka_queue_new(handle));
  const Options options = make_options(handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
  if (read_committed) {
    rd_kafka_error_t* error = rd_kafka_AdminOptions_set_isolation_level(
        options.get(), RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);
    if (error != nullptr) rd_kafka_error_destroy(error);
  }
  rd_kafka_ListOffsets(handle, list.get(), options.get(), queue.get());
  const Event event = wait(queue.get());
  offsets.status = status_of(event, "listing the offsets of partitions");
  if (!offsets.status.ok()) return offsets;
  std::size_t count = 0;
  const rd_kafka_ListOffsetsResultInfo_t** found =
      rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_topic_partition_t* entry =
        rd_kafka_ListOffsetsResultInfo_topic_partition(found[i]);
    if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (offsets.status.ok()) {
        offsets.status =
            error_from_code(entry->err, "listing the offsets of " + std::string(entry->topic) +
                                            " partition " + std::to_string(entry->partition));
      }
      continue;
    }
    offsets.found[{entry->topic, entry->partition}] = {
        entry->offset, rd_kafka_topic_partition_get_leader_epoch(entry)};
  }
  return offsets;
}

std::map<TopicPartition, Watermarks> list_watermarks(rd_kafka_t* handle,
                                                     const std::vector<TopicPartition>& partitions,
                                                     bool read_committed,
                                                     const std::atomic<bool>& stopping) {
  std::map<TopicPartition, Watermarks> watermarks;
  if (stopping) return watermarks;
  const LogOffsets low = list_offsets(handle, partitions, LogEnd::kFirst, read_committed);
  if (stopping) return watermarks;
  const LogOffsets high = list_offsets(handle, partitions, LogEnd::kLast, read_committed);
  for (const auto& [partition, last] : high.found) {
    const auto first = low.found.find(partition);
    if (first != low.found.end()) watermarks[partition] = {first->second.offset, last.offset};
  }
  return watermarks;
}

Result<std::vector<GroupOffset>> committed_offsets(rd_kafka_t* handle,
                                                   const std::vector<TopicPartition>& partitions) {
  std::vector<GroupOffset> offsets;
  if (partitions.empty()) return offsets;
  const PartitionList list = list_of(partitions);
  const rd_kafka_resp_err_t error = rd_kafka_committed(handle, list.get(), kQueryTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return error_from_code(error, "fetching committed offsets");
  }
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = list->elems[i];
    if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return error_from_code(entry.err,
                             std::string("fetching committed offsets of ") + entry.topic);
    }
    GroupOffset& offset = offsets.emplace_back();
    offset.partition = {entry.topic, entry.partition};
    if (entry.offset < 0) continue;
    offset.offset = entry.offset;
    offset.leader_epoch = rd_kafka_topic_partition_get_leader_epoch(&entry);
    if (entry.metadata_size > 0) {
      offset.metadata.assign(static_cast<const char*>(entry.metadata), entry.metadata_size);
    }
  }
  return offsets;
}

// Not the synchronous commit: that one waits for a coordinator without a bound.
Status commit_offsets(rd_kafka_t* handle, const std::vector<GroupOffset>& offsets) {
  if (offsets.empty()) return ok_status();
  const Queue answer(rd_kafka_queue_new(handle));
  const PartitionList list = list_of(offsets);
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(handle, list.get(), answer.get(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return error_from_code(error, "committing where the group begins");
  }
  return status_of(wait(answer.get()), "committing where the group begins");
}

std::vector<GroupOffset> seek(rd_kafka_t* handle, std::vector<GroupOffset> positions) {
  if (positions.empty()) return positions;
  const PartitionList list = list_of(positions);
  rd_kafka_error_t* error = rd_kafka_seek_partitions(handle, list.get(), kQueryTimeoutMs);
  if (error != nullptr) rd_kafka_error_destroy(error);  // Each partition carries its own as well.
  std::vector<GroupOffset> left;
  for (GroupOffset& position : positions) {
    const rd_kafka_topic_partition_t* entry = rd_kafka_topic_partition_list_find(
        list.get(), position.partition.topic.c_str(), position.partition.partition);
    if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR) left.push_back(std::move(position));
  }
  return left;
}

}  // namespace spanway::kafka::native
