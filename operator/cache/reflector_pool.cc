#include "operator/cache/reflector_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/base/thread.h"

namespace spanway::kube {

ReflectorPool::ReflectorPool(std::size_t threads, const Clock& clock)
    : thread_count_(threads), clock_(clock) {}

ReflectorPool::~ReflectorPool() { stop(); }

void ReflectorPool::add(std::unique_ptr<Reflector> reflector) {
  reflectors_.push_back(std::move(reflector));
}

void ReflectorPool::start() {
  {
    MutexLock lock(mutex_);
    for (const auto& reflector : reflectors_) due_.push({clock_.now(), reflector.get()});
  }
  for (std::size_t i = 0; i < std::min(thread_count_, reflectors_.size()); ++i)
    threads_.push_back(
        start_thread("reflect-" + std::to_string(i), [this](const std::stop_token&) { run(); }));
}

void ReflectorPool::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (const auto& reflector : reflectors_) reflector->stop();
  MutexLock lock(mutex_);
  changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return stepping_ == 0; });
}

bool ReflectorPool::synced() const {
  return std::all_of(reflectors_.begin(), reflectors_.end(),
                     [](const auto& reflector) { return reflector->synced(); });
}

void ReflectorPool::schedule(Reflector& reflector, Duration wait) {
  MutexLock lock(mutex_);
  --stepping_;
  if (!stopping_) due_.push({clock_.now() + wait, &reflector});
  changed_.notify_all();
}

void ReflectorPool::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      changed_.wait(mutex_);
      continue;
    }
    const Due next = due_.top();
    const Duration wait = next.at - clock_.now();
    if (wait > Duration::zero()) {
      changed_.wait_for(mutex_, wait);
      continue;
    }
    due_.pop();
    ++stepping_;
    mutex_.unlock();
    next.reflector->step(
        [this, reflector = next.reflector](Duration pause) { schedule(*reflector, pause); });
    mutex_.lock();
  }
}

}  // namespace spanway::kube
