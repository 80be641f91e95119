// A sink that keeps what it is given and answers when, and as, the test says.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::fakes {

// Thread-safe. With `answer_with` set, batches are answered at once; otherwise they wait in
// `take()`.
class SinkRecorder final : public pipeline::Sink {
 public:
  struct Taken {
    pipeline::Batch batch;
    pipeline::AckToken token;
  };

  void answer_with(std::function<Result<pipeline::Outcome>(const pipeline::Batch&)> answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override {
    std::function<Result<pipeline::Outcome>(const pipeline::Batch&)> answer;
    {
      MutexLock lock(mutex_);
      ++sent_;
      items_ += batch.item_count;
      answer = answer_;
      if (!answer) {
        waiting_.push_back({std::move(batch), std::move(token)});
        arrived_.notify_all();
        return;
      }
    }
    token.answer(answer(batch));
    arrived_.notify_all();
  }
  // The oldest unanswered batch; nothing when none has come within `wait`.
  std::optional<Taken> take(Duration wait = std::chrono::seconds(5)) {
    MutexLock lock(mutex_);
    arrived_.wait_for(mutex_, wait,
                      [this]() SPANWAY_REQUIRES(mutex_) { return !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    std::optional<Taken> taken(std::move(waiting_.front()));
    waiting_.pop_front();
    return taken;
  }
  bool drain(Deadline) override { return true; }
  pipeline::SinkHealth health() const override {
    return {.reachable = true, .last_error = {}, .last_error_reason = {}};
  }
  std::size_t sent() const {
    MutexLock lock(mutex_);
    return sent_;
  }
  std::uint64_t items() const {
    MutexLock lock(mutex_);
    return items_;
  }

 private:
  mutable Mutex mutex_;
  CondVar arrived_;
  std::deque<Taken> waiting_ SPANWAY_GUARDED_BY(mutex_);
  std::function<Result<pipeline::Outcome>(const pipeline::Batch&)> answer_
      SPANWAY_GUARDED_BY(mutex_);
  std::size_t sent_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::uint64_t items_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::fakes
