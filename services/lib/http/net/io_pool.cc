#include "services/lib/http/io_pool.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"
#include "services/lib/http/net/io_thread.h"

namespace spanway::http {
namespace {

thread_local const IoThread* current_thread = nullptr;

// OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that went away must not end the process.
void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

IoThread::IoThread(std::string name, const Clock& clock)
    : clock_(clock),
      scratch_(new char[kScratchBytes]),
      context_(1),
      work_(boost::asio::make_work_guard(context_)) {
  thread_ = start_thread(std::move(name), [this](const std::stop_token&) { run(); });
}

IoThread::~IoThread() { stop(); }

void IoThread::run() {
  current_thread = this;
  block_sigpipe();
  context_.run();
  current_thread = nullptr;
}

bool IoThread::on_thread() const noexcept { return current_thread == this; }

void IoThread::stop() {
  SPANWAY_CHECK(!on_thread());
  context_.stop();
  if (thread_.joinable()) thread_.join();
  stopped_.store(true, std::memory_order_release);
}

void IoThread::post(Function function) {
  if (stopped()) return;
  boost::asio::post(context_, std::move(function));
}

Timer IoThread::post_after(Duration wait, Function function) {
  if (stopped()) return Timer();
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto timer = std::make_shared<boost::asio::steady_timer>(context_, wait);
  timer->async_wait(
      [timer, cancelled, function = std::move(function)](const boost::system::error_code& error) {
        if (!error && !cancelled->load(std::memory_order_relaxed)) function();
      });
  return Timer(std::move(cancelled));
}

void IoThread::run_and_wait(const std::function<void()>& function) {
  if (on_thread() || stopped()) {
    function();
    return;
  }
  struct Done {
    Mutex mutex;
    CondVar wake;
    bool done SPANWAY_GUARDED_BY(mutex) = false;
  };
  auto done = std::make_shared<Done>();
  post([done, &function] {
    function();
    MutexLock lock(done->mutex);
    done->done = true;
    done->wake.notify_all();
  });
  bool ran = false;
  // The thread may be stopped while we wait; then the posted function never runs.
  while (!ran && !stopped()) {
    MutexLock lock(done->mutex);
    done->wake.wait_for(done->mutex, std::chrono::milliseconds(20),
                        [&]() SPANWAY_REQUIRES(done->mutex) { return done->done; });
    ran = done->done;
  }
  if (ran) return;
  MutexLock lock(done->mutex);
  if (!done->done) function();
}

IoPool::IoPool(std::string name, std::size_t threads, const Clock& clock)
    : impl_(std::make_unique<Impl>()) {
  SPANWAY_CHECK(threads >= 1);
  for (std::size_t index = 0; index < threads; ++index)
    impl_->threads.push_back(std::make_unique<IoThread>(name + "-" + std::to_string(index), clock));
}

IoPool::~IoPool() { stop(); }

std::size_t IoPool::size() const noexcept { return impl_->threads.size(); }

Executor& IoPool::executor(std::size_t index) noexcept { return impl_->at(index); }

void IoPool::stop() {
  for (auto& thread : impl_->threads) thread->stop();
}

}  // namespace spanway::http
