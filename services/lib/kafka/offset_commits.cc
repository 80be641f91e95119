#include "services/lib/kafka/offset_commits.h"

#include <utility>

#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/native.h"

namespace spanway::kafka {

void OffsetCommits::send(const Client& client, std::vector<OffsetCommit> offsets, CommitDone done) {
  const native::PartitionList list = native::make_partition_list(static_cast<int>(offsets.size()));
  for (OffsetCommit& commit : offsets) {
    commit.leader_epoch = reader_.epoch_to_commit(commit.partition, commit.offset);
    native::fill(rd_kafka_topic_partition_list_add(list.get(), commit.partition.topic.c_str(),
                                                   commit.partition.partition),
                 commit.offset, commit.leader_epoch, commit.metadata);
  }
  const std::uintptr_t id = next_++;
  open_[id] = {std::move(done), std::move(offsets)};
  const rd_kafka_resp_err_t error = rd_kafka_commit_queue(
      client.handle, list.get(), client.answers, client.on_answer, reinterpret_cast<void*>(id));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const Open failed = std::move(open_.extract(id).mapped());
  failed.done(error_from_code(error, "committing offsets"), failed.sent);
}

std::optional<OffsetCommits::Answer> OffsetCommits::finish(
    rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* list, void* opaque) {
  auto found = open_.extract(reinterpret_cast<std::uintptr_t>(opaque));
  if (found.empty()) return std::nullopt;
  for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && list != nullptr && i < list->cnt; ++i) {
    error = list->elems[i].err;
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Error failure = error_from_code(error, "committing offsets");
    events_.commit_failed(failure);
    return Answer{std::move(found.mapped().done), std::move(failure),
                  std::move(found.mapped().sent)};
  }
  return Answer{std::move(found.mapped().done), ok_status(), std::move(found.mapped().sent)};
}

}  // namespace spanway::kafka
