#include "services/lib/runtime/signal_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/base/thread.h"

namespace spanway::runtime {
namespace {

sigset_t watched_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void block_signals() noexcept {
  const sigset_t signals = watched_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::create(Handlers handlers) {
  const sigset_t mask = watched_signals();
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::unique_ptr<SignalWatcher> watcher(new SignalWatcher(signals, wake));
  if (signals < 0 || wake < 0)
    return unknown_error(Code::kInternal,
                         "signals cannot be watched: " + std::generic_category().message(errno));
  watcher->thread_ = start_thread("signals", [raw = watcher.get(), handlers = std::move(handlers)](
                                                 const std::stop_token&) { raw->run(handlers); });
  return watcher;
}

SignalWatcher::~SignalWatcher() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    // An eventfd takes eight bytes or none; it is full only after 2^64 writes.
    SPANWAY_CHECK(write(wake_, &one, sizeof one) == sizeof one);
    thread_.join();
  }
  if (signals_ >= 0) close(signals_);
  if (wake_ >= 0) close(wake_);
}

void SignalWatcher::run(const Handlers& handlers) {
  bool stopping = false;
  while (true) {
    std::array<pollfd, 2> watched{pollfd{signals_, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (info.ssi_signo == SIGHUP) {
      handlers.hang_up();
      continue;
    }
    const char* name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
    (std::exchange(stopping, true) ? handlers.stop_again : handlers.stop)(name);
  }
}

}  // namespace spanway::runtime
