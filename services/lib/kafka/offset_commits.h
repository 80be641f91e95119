// Commits the offsets of a group: the OffsetCommit requests and their answers. For this module
// only.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/events.h"
#include "services/lib/kafka/partition_reader.h"

namespace spanway::kafka {

// Single-thread: that of the consumer. Bound: the caller's, which has one commit a partition under
// way.
class OffsetCommits {
 public:
  // Where a request is sent, and what librdkafka calls with its answer.
  struct Client {
    rd_kafka_t* handle;
    rd_kafka_queue_t* answers;
    void (*on_answer)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*,
                      void* opaque);
  };
  struct Answer {
    CommitDone done;
    Status status;
    std::vector<OffsetCommit> sent;
  };

  // Both outlive it.
  OffsetCommits(ConsumerEvents& events, PartitionReader& reader)
      : events_(events), reader_(reader) {}

  // Commits each offset with the leader epoch of the record before it. Calls `done` itself only if
  // the request cannot be sent.
  void send(const Client& client, std::vector<OffsetCommit> offsets, CommitDone done);
  // The commit that `on_answer` was called for, with its outcome; nothing if it was dropped.
  std::optional<Answer> finish(rd_kafka_resp_err_t error,
                               const rd_kafka_topic_partition_list_t* list, void* opaque);
  // Drops what has no answer yet.
  void drop_all() { open_.clear(); }

 private:
  struct Open {
    CommitDone done;
    std::vector<OffsetCommit> sent;
  };
  ConsumerEvents& events_;
  PartitionReader& reader_;
  // The opaque is a number: a commit that is never answered leaves nothing behind but its entry.
  std::map<std::uintptr_t, Open> open_;
  std::uintptr_t next_ = 1;
};

}  // namespace spanway::kafka
