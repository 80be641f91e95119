// A kafka::Consumer without Kafka: the test assigns, revokes and offers records.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/kafka/consumer.h"

namespace spanway::fakes {

// Everything on the test's thread.
class FakeConsumer final : public kafka::Consumer {
 public:
  struct Stored {
    std::int64_t offset = 0;
    std::int64_t timestamp_ms = 0;
    std::string value;
    std::string tenant;
  };
  struct PendingCommit {
    std::vector<kafka::OffsetCommit> offsets;
    std::function<void(Status)> done;
  };

  explicit FakeConsumer(kafka::ConsumerListener& to) : listener(to) {}

  Status start() override {
    started = true;
    return ok_status();
  }
  void resume_reading(const kafka::TopicPartition& partition) override {
    blocked.erase(partition);
    deliver(partition);
  }
  void rewind(const kafka::TopicPartition& partition, std::int64_t offset) override {
    ++rewinds;
    auto& queue = queues[partition];
    queue.clear();
    for (const Stored& stored : log[partition]) {
      if (stored.offset >= offset) queue.push_back(stored);
    }
    blocked.erase(partition);
    deliver(partition);
  }
  void pause(const kafka::TopicPartition& partition) override { paused.insert(partition); }
  void unpause(const kafka::TopicPartition& partition) override { paused.erase(partition); }
  void commit(std::vector<kafka::OffsetCommit> offsets, kafka::CommitDone done) override {
    for (kafka::OffsetCommit& offset : offsets) offset.leader_epoch = leader_epoch;
    if (hold_commits) {
      pending_commits.push_back(
          {offsets, [offsets, done = std::move(done)](Status status) { done(status, offsets); }});
      return;
    }
    if (commit_answer.ok()) {
      for (const auto& offset : offsets) committed[offset.partition] = offset;
    }
    ++commits;
    done(commit_answer, offsets);
  }
  std::optional<kafka::Watermarks> watermarks(const kafka::TopicPartition& partition) override {
    const auto found = marks.find(partition);
    return found == marks.end() ? std::nullopt : std::optional(found->second);
  }
  void close() override { closed = true; }
  bool connected_once() const noexcept override { return true; }
  bool reachable() const noexcept override { return true; }
  std::vector<kafka::TopicState> topics() const override { return {}; }
  std::string last_error() const override { return ""; }
  kafka::Assignment assignment() const override { return assigned; }
  bool never_admitted() const override { return false; }

  // --- What a test does ---
  void assign(const kafka::TopicPartition& partition, std::int64_t offset,
              const std::string& metadata = "") {
    listener.on_assigned(partition, {offset, metadata, leader_epoch});
    listener.on_assignment(1);
  }
  // At once, each from offset 0.
  void assign(const std::vector<kafka::TopicPartition>& partitions) {
    for (const auto& partition : partitions) listener.on_assigned(partition, {0, "", leader_epoch});
    listener.on_assignment(partitions.size());
  }
  void put(const kafka::TopicPartition& partition, Stored record) {
    log[partition].push_back(record);
    queues[partition].push_back(std::move(record));
    deliver(partition);
  }
  void deliver(const kafka::TopicPartition& partition) {
    auto& queue = queues[partition];
    while (!queue.empty() && blocked.count(partition) == 0) {
      const Stored& stored = queue.front();
      const kafka::HeaderView header{"spanway-tenant", stored.tenant};
      kafka::RecordView view;
      view.offset = stored.offset;
      view.timestamp_ms = stored.timestamp_ms;
      view.value = stored.value;
      if (!stored.tenant.empty()) view.headers = {&header, 1};
      if (!listener.on_record(partition, view)) {
        blocked.insert(partition);
        return;
      }
      queue.pop_front();
    }
  }

  kafka::ConsumerListener& listener;
  std::map<kafka::TopicPartition, std::deque<Stored>> queues;
  std::map<kafka::TopicPartition, std::deque<Stored>> log;  // Everything that was put.
  std::set<kafka::TopicPartition> blocked, paused;
  std::map<kafka::TopicPartition, kafka::OffsetCommit> committed;
  std::map<kafka::TopicPartition, kafka::Watermarks> marks;
  std::deque<PendingCommit> pending_commits;
  Status commit_answer;
  kafka::Assignment assigned;
  std::int32_t leader_epoch = -1;  // That of every record.
  int commits = 0;
  int rewinds = 0;
  bool hold_commits = false;
  bool started = false;
  bool closed = false;
};

}  // namespace spanway::fakes
