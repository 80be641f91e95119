// Runs many reflectors on few threads: a list blocks one of them, a watch none.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <queue>
#include <thread>
#include <vector>

#include "operator/cache/reflector.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::kube {

// add() before start(); everything else is thread-safe.
class ReflectorPool {
 public:
  // `threads` lists at a time.
  ReflectorPool(std::size_t threads, const Clock& clock);
  ~ReflectorPool();

  void add(std::unique_ptr<Reflector> reflector);
  void start();
  // Ends watches within a second and waits for lists under way; idempotent.
  void stop();
  // True once the first list of every reflector is in its store.
  bool synced() const;
  std::size_t size() const noexcept { return reflectors_.size(); }

 private:
  struct Due {
    SteadyTime at;
    Reflector* reflector;
    bool operator>(const Due& other) const noexcept { return at > other.at; }
  };
  void run();
  void schedule(Reflector& reflector, Duration wait);

  const std::size_t thread_count_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Reflector>> reflectors_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::size_t stepping_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace spanway::kube
