#include "services/lib/runtime/tool.h"

#include <unistd.h>

#include <iostream>

#include "services/lib/runtime/signal_watcher.h"

namespace spanway::runtime {

int run_tool(const Tool& tool, int argc, char** argv) {
  block_signals();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!arguments.empty() && (arguments[0] == "--version" || arguments[0] == "-version")) {
    std::cout << tool.name << " " SPANWAY_VERSION "\n" << std::flush;
    return 0;
  }
  std::stop_source stop;
  const auto signals = SignalWatcher::create({.stop = [&stop](const char*) { stop.request_stop(); },
                                              .stop_again = [](const char*) { _exit(1); },
                                              .hang_up = [] {}});
  if (!signals.ok()) {
    std::cerr << tool.name << ": " << signals.error().message << "\n";
    return 1;
  }
  const int code = tool.run(arguments, {system_clock(), std::cout, std::cerr, stop.get_token()});
  std::cout << std::flush;
  return code;
}

}  // namespace spanway::runtime
