// SIGTERM and SIGINT as events of a thread instead of interruptions of any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "services/lib/base/result.h"

namespace spanway::runtime {

// Blocks SIGTERM and SIGINT and ignores SIGPIPE, for this thread and all that it starts. To be
// called before any thread is started.
void block_signals() noexcept;

// Owns a thread; the destructor ends it. One per process, after block_signals().
class SignalWatcher {
 public:
  // Both run on the watcher's thread: `on_first` once, `on_further` for each signal after it, with
  // "SIGTERM" or "SIGINT".
  using Handler = std::function<void(const char* name)>;
  static Result<std::unique_ptr<SignalWatcher>> create(Handler on_first, Handler on_further);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  SignalWatcher(int signals, int wake) noexcept : signals_(signals), wake_(wake) {}
  void run(const Handler& on_first, const Handler& on_further);

  const int signals_;  // signalfd
  const int wake_;     // eventfd, written to by the destructor.
  std::jthread thread_;
};

}  // namespace spanway::runtime
