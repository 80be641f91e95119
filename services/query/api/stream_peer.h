// The client of a streamed answer, as its writer waits for it. Internal to query/api.
#pragma once

#include <utility>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/response_stream.h"
#include "services/query/store/cancel_token.h"

namespace spanway::query {

// Called on the connection's io thread; the writer waits on its own. The token is cancelled when
// the client goes away.
class StreamPeer : public http::StreamObserver {
 public:
  explicit StreamPeer(CancelToken cancel) : cancel_(std::move(cancel)) {}
  void on_writable() override {
    MutexLock lock(mutex_);
    writable_ = true;
    changed_.notify_all();
  }
  void on_cancelled(http::CancelReason reason) override {
    {
      MutexLock lock(mutex_);
      gone_ = true;
      late_ = reason == http::CancelReason::kDeadline;
      changed_.notify_all();
    }
    cancel_.cancel();
  }
  void expect_room() {
    MutexLock lock(mutex_);
    writable_ = false;
  }
  // False when the client is gone or does not read; also at the stream's deadline.
  bool wait_for_room(Duration stall_max) {
    MutexLock lock(mutex_);
    const bool is_over = changed_.wait_for(
        mutex_, stall_max, [this]() SPANWAY_REQUIRES(mutex_) { return writable_ || gone_; });
    return is_over && !gone_;
  }
  // True when the answer has ended because its deadline has passed.
  bool is_late() const {
    MutexLock lock(mutex_);
    return late_;
  }

 private:
  const CancelToken cancel_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool writable_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool gone_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool late_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::query
