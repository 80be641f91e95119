// A mutex that clang's thread-safety analysis understands. Members it protects are marked
// SPANWAY_GUARDED_BY(mutex_) and declared below it.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define SPANWAY_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define SPANWAY_THREAD_ANNOTATION(x)
#endif
#define SPANWAY_GUARDED_BY(x) SPANWAY_THREAD_ANNOTATION(guarded_by(x))
#define SPANWAY_REQUIRES(...) SPANWAY_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define SPANWAY_EXCLUDES(...) SPANWAY_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace spanway {

class SPANWAY_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() SPANWAY_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() SPANWAY_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SPANWAY_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SPANWAY_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() SPANWAY_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits take the Mutex itself (it is BasicLockable), which must be held.
using CondVar = std::condition_variable_any;

}  // namespace spanway
