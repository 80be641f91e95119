#include "services/lib/runtime/stop_watchdog.h"

#include <utility>

#include "services/lib/base/thread.h"

namespace spanway::runtime {

StopWatchdog::StopWatchdog(Duration limit, std::function<void()> on_expired)
    : limit_(limit), on_expired_(std::move(on_expired)) {}

StopWatchdog::~StopWatchdog() { ended_.request("the stop has ended"); }

void StopWatchdog::arm() {
  if (thread_.joinable()) return;
  thread_ = start_thread("stop_watchdog", [this](const std::stop_token&) {
    if (!ended_.wait_for(limit_)) on_expired_();
  });
}

}  // namespace spanway::runtime
