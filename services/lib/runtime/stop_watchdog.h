// Ends a stop that would last for ever: a library that waits for a server that does not answer has
// no deadline of its own.
#pragma once

#include <functional>
#include <thread>

#include "services/lib/base/clock.h"
#include "services/lib/runtime/stop_signal.h"

namespace spanway::runtime {

// One stop; used by the thread that stops.
class StopWatchdog {
 public:
  // `on_expired` runs on a thread of its own.
  StopWatchdog(Duration limit, std::function<void()> on_expired);
  // The stop has ended in time.
  ~StopWatchdog();
  StopWatchdog(const StopWatchdog&) = delete;
  StopWatchdog& operator=(const StopWatchdog&) = delete;

  // The stop begins: `on_expired` is called when this object still exists after the limit.
  void arm();

 private:
  const Duration limit_;
  const std::function<void()> on_expired_;
  StopSignal ended_;
  std::jthread thread_;
};

}  // namespace spanway::runtime
