#include <csignal>
#include <iostream>
#include <stop_token>
#include <string_view>
#include <vector>

#include "services/lib/base/thread.h"
#include "services/load/program.h"

namespace {

// Signals are taken by one thread of its own, so that nothing has to be async-signal-safe.
std::jthread watch_signals(std::stop_source& program) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return spanway::start_thread("signals", [&program, signals](const std::stop_token& stop) {
    const timespec wait{.tv_sec = 0, .tv_nsec = 50'000'000};
    while (!stop.stop_requested()) {
      if (sigtimedwait(&signals, nullptr, &wait) > 0) program.request_stop();
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::stop_source program;
  const std::jthread watcher = watch_signals(program);
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  return spanway::load::run_program(
      arguments, {spanway::system_clock(), std::cout, std::cerr, program.get_token()});
}
