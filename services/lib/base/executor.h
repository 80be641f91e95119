// "Run this later, on that thread": the seam through which components get time and threads.
// Production uses base::Loop or an io thread of http::IoPool; tests use
// tests/fakes/manual_executor.h.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "services/lib/base/clock.h"

namespace spanway {

// A timer that has not fired yet. Destruction does not cancel it; cancel() does, and afterwards the
// function does not run unless it is already running. Copyable; thread-safe.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::shared_ptr<std::atomic<bool>> cancelled) : cancelled_(std::move(cancelled)) {}
  void cancel() noexcept {
    if (cancelled_) cancelled_->store(true, std::memory_order_relaxed);
    cancelled_.reset();
  }
  explicit operator bool() const noexcept { return cancelled_ != nullptr; }

 private:
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

// Runs functions one after the other on one thread. post() and post_after() may be called from any
// thread; after the executor has stopped, functions are destroyed without being run.
class Executor {
 public:
  using Function = std::function<void()>;
  virtual ~Executor() = default;
  virtual void post(Function function) = 0;
  virtual Timer post_after(Duration wait, Function function) = 0;
  virtual bool on_thread() const noexcept = 0;
  virtual const Clock& clock() const noexcept = 0;
};

}  // namespace spanway
