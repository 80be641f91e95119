// The command line of every binary.
#pragma once

#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/runtime/service.h"

namespace spanway::runtime {

struct Arguments {
  enum class Action {
    kRun,
    kHelp,
    kVersion,
    kCheckConfig,
    kPrintConfig,
    kPrintSchema,
    kPrintConfigDoc,
    kPrintMetrics,
    kToggleDebug,
  };
  Action action = Action::kRun;
  std::string config_file;  // Empty = defaults and environment only.
  // The command, as an index into Program::commands; none = run the service.
  const Program::Command* command = nullptr;
  std::vector<std::string> command_arguments;
};

// `words` without the program's name. The result points into `program`. Unknown flags are errors
// unless they follow a command's words: then they are its arguments.
Result<Arguments> parse_arguments(const Program& program, const std::vector<std::string>& words);

// The text of the command `of`, where it has one, or else of the program.
std::string help_text(const Program& program, const Program::Command* of = nullptr);

}  // namespace spanway::runtime
