// SIGTERM, SIGINT and SIGHUP as events of a thread instead of interruptions of any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "services/lib/base/result.h"

namespace spanway::runtime {

// Blocks SIGTERM, SIGINT and SIGHUP and ignores SIGPIPE, for this thread and all that it starts. To
// be called before any thread is started.
void block_signals() noexcept;

// Owns a thread; the destructor ends it. One per process, after block_signals().
class SignalWatcher {
 public:
  // All run on the watcher's thread.
  struct Handlers {
    // The first SIGTERM or SIGINT, and each one after it, by name.
    std::function<void(const char* name)> stop;
    std::function<void(const char* name)> stop_again;
    std::function<void()> hang_up;  // SIGHUP.
  };
  static Result<std::unique_ptr<SignalWatcher>> create(Handlers handlers);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  SignalWatcher(int signals, int wake) noexcept : signals_(signals), wake_(wake) {}
  void run(const Handlers& handlers);

  const int signals_;  // signalfd
  const int wake_;     // eventfd, written to by the destructor.
  std::jthread thread_;
};

}  // namespace spanway::runtime
