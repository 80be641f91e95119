#include "services/lib/runtime/arguments.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "services/lib/config/scalar.h"
#include "services/lib/runtime/flags.h"

namespace spanway::runtime {
namespace {

struct ActionFlag {
  const char* name;
  Arguments::Action action;
  const char* help;
};
constexpr std::array<ActionFlag, 7> kActions{{
    {"version", Arguments::Action::kVersion, "name and version"},
    {"check-config", Arguments::Action::kCheckConfig,
     "print every mistake with line and column; exit 2 if there is one"},
    {"print-config", Arguments::Action::kPrintConfig,
     "print the effective configuration, secrets as ***"},
    {"print-schema", Arguments::Action::kPrintSchema, "print the JSON schema of the file"},
    {"print-config-doc", Arguments::Action::kPrintConfigDoc, "print this service's CONFIG.md"},
    {"print-metrics", Arguments::Action::kPrintMetrics, "print this service's METRICS.md"},
    {"toggle-debug", Arguments::Action::kToggleDebug,
     "send SIGHUP to process 1 of this container: debug lines on, or off again"},
}};

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Takes the words of a command off the front of `words`; null when they name none.
const Program::Command* take_command(const Program& program, std::vector<std::string>& words) {
  for (const Program::Command& command : program.commands) {
    const std::vector<std::string> expected = split_words(command.words);
    if (expected.size() > words.size() ||
        !std::equal(expected.begin(), expected.end(), words.begin()))
      continue;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(expected.size()));
    return &command;
  }
  return nullptr;
}

Error unknown_command(const Program& program, const std::string& word) {
  std::string message = "unknown argument " + config::quote(word);
  for (const Program::Command& command : program.commands)
    message += "; a command is '" + command.words + "'";
  return invalid_argument(message + "; see --help");
}

// The flags of all services; `given` gets the actions.
FlagSet flag_set(const Program& program, std::string& config_file,
                 std::array<bool, kActions.size()>& given) {
  FlagSet set(program.name + " [--config FILE] [action]", program.summary);
  set.add("config", config_file,
          "YAML configuration; without it, defaults and SPANWAY_* variables");
  for (std::size_t i = 0; i < kActions.size(); ++i)
    set.add(kActions[i].name, given[i], kActions[i].help);
  return set;
}

}  // namespace

Result<Arguments> parse_arguments(const Program& program, const std::vector<std::string>& words) {
  Arguments arguments;
  std::array<bool, kActions.size()> given{};
  std::vector<std::string> rest;
  FlagSet set = flag_set(program, arguments.config_file, given);
  set.add_words(rest);
  SPANWAY_TRY(set.parse(words));
  // As of a variable of the shell that is not set: the defaults are another configuration.
  if (set.given("config") && arguments.config_file.empty())
    return invalid_argument("--config is empty: name a file, or leave it out for the defaults");
  if (set.help_requested()) arguments.action = Arguments::Action::kHelp;
  for (std::size_t i = 0; i < kActions.size(); ++i) {
    if (!given[i]) continue;
    if (arguments.action != Arguments::Action::kRun)
      return invalid_argument("--" + std::string(kActions[i].name) +
                              " cannot be combined with another action; see --help");
    arguments.action = kActions[i].action;
  }
  if (rest.empty()) return arguments;
  const std::string first = rest.front();
  arguments.command = take_command(program, rest);
  if (arguments.command == nullptr) return unknown_command(program, first);
  arguments.command_arguments = std::move(rest);
  return arguments;
}

std::string help_text(const Program& program, const Program::Command* of) {
  if (of != nullptr && of->usage) return of->usage();
  std::string text = program.name + ": " + program.summary + "\n\nUsage: " + program.name +
                     " [--config FILE] [action]\n";
  for (const Program::Command& command : program.commands)
    text += "       " + program.name + " " + command.words + " [--config FILE] [arguments]\n";
  text += "\nWithout an action the service runs until SIGTERM or SIGINT.\n\n";
  std::string config_file;
  std::array<bool, kActions.size()> given{};
  text += flag_set(program, config_file, given).flags_help();
  for (const Program::Command& command : program.commands) {
    std::string line = "  " + command.words;
    line.resize(std::max<std::size_t>(line.size() + 2, 22), ' ');
    text += line + command.help + "\n";
  }
  text += "\n--help behind a command prints its flags and exit codes, where it has some.\n";
  text += "Exit code: 0 clean, 1 failed or drained incompletely, 2 bad usage or configuration.\n";
  return text;
}

}  // namespace spanway::runtime
