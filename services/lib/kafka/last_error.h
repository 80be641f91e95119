// The most specific error since the last answer of a broker. librdkafka reports several for one
// cause, the least specific one ("all brokers are down") last and repeatedly.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"

namespace spanway::kafka {

// Thread-safe.
class LastError {
 public:
  // Replaces an error that is less or equally specific: a failed authentication, a missing right or
  // a wrong setting is most specific, an unreachable broker or a timeout least. False when the old
  // error is kept.
  bool note(const Error& error) {
    MutexLock lock(mutex_);
    if (!error_.ok() && rank(error) < rank(error_.error())) return false;
    error_ = error;
    return true;
  }
  // A broker has answered.
  void clear() {
    MutexLock lock(mutex_);
    error_ = ok_status();
  }
  // OK without an error.
  Status get() const {
    MutexLock lock(mutex_);
    return error_;
  }
  std::string message() const {
    MutexLock lock(mutex_);
    return error_.ok() ? "" : error_.error().message;
  }

 private:
  static int rank(const Error& error) noexcept {
    if (error.refusal == Refusal::kConfiguration) return 2;
    const std::string_view reason = error.reason;
    return reason == "kafka_unreachable" || reason == "kafka_timed_out" ? 0 : 1;
  }

  mutable Mutex mutex_;
  Status error_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
