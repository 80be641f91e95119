// One event loop with its thread, and the pool's insides. For this module only.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/executor.h"
#include "services/lib/http/io_pool.h"

namespace spanway::http {

// Thread-safe, except where it says otherwise. Timers wait on the machine's steady clock; `clock`
// is what components read.
class IoThread final : public Executor {
 public:
  IoThread(std::string name, const Clock& clock);
  ~IoThread() override;

  void post(Function function) override;
  Timer post_after(Duration wait, Function function) override;
  bool on_thread() const noexcept override;
  const Clock& clock() const noexcept override { return clock_; }

  // Runs `function` on the thread and waits for it; when the thread has stopped, runs it here (then
  // nothing else touches the loop). From another io thread it may deadlock.
  void run_and_wait(const std::function<void()>& function);
  void stop();
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  boost::asio::io_context& context() noexcept { return context_; }
  // Memory to read into, shared by all connections of this thread: its content is gone when the
  // function that filled it returns. On the thread only.
  std::span<char> scratch() noexcept { return {scratch_.get(), kScratchBytes}; }

 private:
  static constexpr std::size_t kScratchBytes = 128 * 1024;
  void run();

  const Clock& clock_;
  std::unique_ptr<char[]> scratch_;
  std::atomic<bool> stopped_{false};
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::jthread thread_;
};

struct IoPool::Impl {
  std::vector<std::unique_ptr<IoThread>> threads;
  // Where the next client lives.
  std::atomic<std::size_t> next{0};

  IoThread& at(std::size_t index) noexcept { return *threads[index % threads.size()]; }
};

}  // namespace spanway::http
