// The load tool's main function.
#pragma once

#include <ostream>
#include <span>
#include <stop_token>
#include <string_view>

#include "services/lib/base/clock.h"

namespace spanway::load {

struct ProgramDeps {
  const Clock& clock;
  std::ostream& out;  // Reports.
  std::ostream& err;  // Mistakes.
  // Requested = end soon: SIGINT or SIGTERM.
  std::stop_token stop;
};

// `arguments` are those behind the program's name. 0 = good; 1 = nothing was acknowledged, or
// something is missing; 2 = wrong flags or no connection to begin with.
int run_program(std::span<const std::string_view> arguments, const ProgramDeps& deps);

}  // namespace spanway::load
