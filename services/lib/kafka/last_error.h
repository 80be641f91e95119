// The error that tells most about why Kafka does not answer. librdkafka reports several for one
// cause, the least telling one ("all brokers are down") last and again and again.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"

namespace spanway::kafka {

// Thread-safe.
class LastError {
 public:
  // Takes the place of an error that tells less or as much: a refused login, a missing right or a
  // wrong setting tells most, a broker out of reach or a timeout least. False when it does not.
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
  // OK when there is none.
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
