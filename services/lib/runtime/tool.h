// The main function of programs that are no services: spanway-load, spanway-test-app.
#pragma once

#include <functional>
#include <ostream>
#include <stop_token>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"

namespace spanway::runtime {

struct ToolDeps {
  const Clock& clock;
  std::ostream& out;  // Results.
  std::ostream& err;  // Mistakes.
  // Requested by the first SIGTERM or SIGINT.
  std::stop_token stop;
};

struct Tool {
  std::string name;  // "spanway-load"
  // `arguments` without the program's name. Returns the exit code: 0 done, 1 failed, 2 bad usage.
  std::function<int(const std::vector<std::string>& arguments, const ToolDeps& deps)> run;
};

// Answers --version, turns signals into the stop token, and runs. A second signal ends the process
// at once with 1. Called once, by the main thread, before any other thread has started.
int run_tool(const Tool& tool, int argc, char** argv);

}  // namespace spanway::runtime
