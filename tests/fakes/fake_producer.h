// A kafka::Producer that keeps what it is given and reports when, and as, the test says.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/kafka/producer.h"

namespace spanway::fakes {

// Thread-safe. Topics have `default_partitions` partitions unless set_partitions() says otherwise.
class FakeProducer final : public kafka::Producer {
 public:
  struct Sent {
    std::string topic;
    kafka::Record record;
    Report report;
    std::string header(std::string_view name) const {
      for (const auto& [key, value] : record.headers)
        if (key == name) return value;
      return "";
    }
  };

  explicit FakeProducer(std::int32_t default_partitions = 4) : partitions_(default_partitions) {}

  void produce(kafka::Record record, Report report) noexcept override {
    std::function<Status(const Sent&)> answer;
    Sent sent{std::string(record.topic), std::move(record), std::move(report)};
    {
      MutexLock lock(mutex_);
      ++count_;
      answer = answer_;
      if (!answer) {
        waiting_.push_back(std::move(sent));
        return;
      }
    }
    Status status = answer(sent);
    sent.report(std::move(status));
    MutexLock lock(mutex_);
    done_.push_back(std::move(sent));
  }
  Status produce_all(std::vector<kafka::Record> records, RequestReport report) noexcept override {
    {
      MutexLock lock(mutex_);
      if (!admission_.ok()) return admission_;
    }
    for (std::size_t i = 0; i < records.size(); ++i) {
      produce(std::move(records[i]), [report, i](Status status) { report(i, std::move(status)); });
    }
    return ok_status();
  }
  Result<std::int32_t> partition_count(std::string_view topic) override {
    MutexLock lock(mutex_);
    const auto found = topics_.find(topic);
    if (found == topics_.end()) return partitions_;
    return found->second;
  }
  bool connected_once() const noexcept override { return connected; }
  bool reachable() const noexcept override { return up; }
  std::string last_error() const override { return error; }
  std::size_t queue_bytes() const noexcept override { return 0; }
  bool drain(Deadline) override { return true; }

  // Reports at once from now on.
  void answer_with(std::function<Status(const Sent&)> answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  // produce_all() returns `status` instead of writing, unless it is OK.
  void set_admission(Status status) {
    MutexLock lock(mutex_);
    admission_ = std::move(status);
  }
  void set_partitions(const std::string& topic, Result<std::int32_t> count) {
    MutexLock lock(mutex_);
    topics_.insert_or_assign(topic, std::move(count));
  }
  // The oldest record without a report.
  std::optional<Sent> take() {
    MutexLock lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    std::optional<Sent> sent(std::move(waiting_.front()));
    waiting_.pop_front();
    return sent;
  }
  // Records whose delivery was reported at once.
  const std::deque<Sent>& done() const { return done_; }
  std::size_t count() const {
    MutexLock lock(mutex_);
    return count_;
  }

  std::atomic<bool> connected{true};
  std::atomic<bool> up{true};
  std::string error;  // last_error(); set while nothing is sent.

 private:
  mutable Mutex mutex_;
  const std::int32_t partitions_;
  std::map<std::string, Result<std::int32_t>, std::less<>> topics_ SPANWAY_GUARDED_BY(mutex_);
  Status admission_ SPANWAY_GUARDED_BY(mutex_);
  std::function<Status(const Sent&)> answer_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<Sent> waiting_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<Sent> done_;
  std::size_t count_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::fakes
