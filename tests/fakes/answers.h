// Tokens whose answers a test can wait for.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/pipeline/ack_token.h"

namespace spanway::fakes {

// Thread-safe. Tokens may outlive it.
class Answers {
 public:
  pipeline::AckToken token() {
    return pipeline::AckToken([state = state_](Result<pipeline::Outcome> result) {
      {
        MutexLock lock(state->mutex);
        state->results.push_back(std::move(result));
      }
      state->arrived.notify_all();
    });
  }
  // The next answer; nothing when none has come within 20 s.
  std::optional<Result<pipeline::Outcome>> next() {
    MutexLock lock(state_->mutex);
    const auto ready = [this]() SPANWAY_REQUIRES(state_->mutex) {
      return state_->results.size() > taken_;
    };
    if (!state_->arrived.wait_for(state_->mutex, std::chrono::seconds(20), ready))
      return std::nullopt;
    return state_->results[taken_++];
  }
  std::size_t count() const {
    MutexLock lock(state_->mutex);
    return state_->results.size();
  }

 private:
  struct State {
    Mutex mutex;
    CondVar arrived;
    std::vector<Result<pipeline::Outcome>> results SPANWAY_GUARDED_BY(mutex);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::size_t taken_ = 0;
};

}  // namespace spanway::fakes
