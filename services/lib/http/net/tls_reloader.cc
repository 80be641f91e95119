#include "services/lib/http/tls_reloader.h"

#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway::http {

struct TlsReloader::State {
  State(Reload reload_, Report report_, Executor& executor_, Duration interval_)
      : reload(std::move(reload_)),
        report(std::move(report_)),
        executor(executor_),
        interval(interval_) {}

  static void schedule(const std::shared_ptr<State>& state) {
    state->executor.post_after(state->interval, [weak = std::weak_ptr(state)] {
      const auto alive = weak.lock();
      if (alive != nullptr && alive->run()) schedule(alive);
    });
  }
  // False when the reloader is gone.
  bool run() {
    MutexLock lock(mutex);
    if (stopped) return false;
    const Result<bool> changed = reload();
    if (!changed.ok() || *changed) report(changed);
    return true;
  }

  const Reload reload;
  const Report report;
  Executor& executor;
  const Duration interval;
  Mutex mutex;
  bool stopped SPANWAY_GUARDED_BY(mutex) = false;
};

TlsReloader::TlsReloader(Reload reload, Report report, Executor& executor, Duration interval)
    : state_(std::make_shared<State>(std::move(reload), std::move(report), executor, interval)) {
  State::schedule(state_);
}

TlsReloader::~TlsReloader() {
  MutexLock lock(state_->mutex);
  state_->stopped = true;
}

}  // namespace spanway::http
