#include "services/lib/runtime/arguments.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>
#include <utility>

#include "services/lib/config/scalar.h"

namespace spanway::runtime {
namespace {

constexpr std::string_view kConfigFlag = "--config";

struct Flag {
  std::string_view name;
  Arguments::Action action;
  const char* help;
};
constexpr std::array<Flag, 7> kFlags{{
    {"--help", Arguments::Action::kHelp, "this text"},
    {"--version", Arguments::Action::kVersion, "name and version"},
    {"--check-config", Arguments::Action::kCheckConfig,
     "print every mistake with line and column; exit 2 if there is one"},
    {"--print-config", Arguments::Action::kPrintConfig,
     "print the effective configuration, secrets as ***"},
    {"--print-schema", Arguments::Action::kPrintSchema, "print the JSON schema of the file"},
    {"--print-config-doc", Arguments::Action::kPrintConfigDoc, "print this service's CONFIG.md"},
    {"--print-metrics", Arguments::Action::kPrintMetrics, "print this service's METRICS.md"},
}};

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> flag_names() {
  std::vector<std::string> names{std::string(kConfigFlag)};
  for (const Flag& flag : kFlags) names.emplace_back(flag.name);
  return names;
}

// Takes the words of a command off the front of `words`; null when they name none.
const Program::Command* take_command(const Program& program, std::vector<std::string>& words) {
  for (const Program::Command& command : program.commands) {
    const std::vector<std::string> wanted = split_words(command.words);
    if (wanted.size() > words.size() || !std::equal(wanted.begin(), wanted.end(), words.begin()))
      continue;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(wanted.size()));
    return &command;
  }
  return nullptr;
}

Error unknown_word(const Program& program, const std::string& word) {
  std::string message = "unknown argument " + config::quote(word);
  if (word.starts_with('-')) {
    message += config::did_you_mean(word, flag_names());
  } else {
    for (const Program::Command& command : program.commands)
      message += "; a command is '" + command.words + "'";
  }
  return invalid_argument(message + "; see --help");
}

}  // namespace

Result<Arguments> parse_arguments(const Program& program, const std::vector<std::string>& words) {
  Arguments arguments;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto flag = std::find_if(kFlags.begin(), kFlags.end(),
                                   [&word](const Flag& known) { return known.name == word; });
    if (flag != kFlags.end()) {
      if (arguments.action != Arguments::Action::kRun && arguments.action != flag->action)
        return invalid_argument(word + " cannot be combined with another action; see --help");
      arguments.action = flag->action;
    } else if (word == kConfigFlag) {
      if (i + 1 == words.size()) return invalid_argument("--config needs a file");
      arguments.config_file = words[++i];
    } else if (word.starts_with("--config=")) {
      arguments.config_file = word.substr(kConfigFlag.size() + 1);
    } else if (word.starts_with('-') && rest.empty()) {
      return unknown_word(program, word);
    } else {
      rest.push_back(word);
    }
  }
  if (rest.empty()) return arguments;
  const std::string first = rest.front();
  arguments.command = take_command(program, rest);
  if (arguments.command == nullptr) return unknown_word(program, first);
  arguments.command_arguments = std::move(rest);
  return arguments;
}

std::string help_text(const Program& program) {
  std::string text = program.name + ": " + program.summary + "\n\nUsage: " + program.name +
                     " [--config FILE] [action]\n";
  for (const Program::Command& command : program.commands)
    text += "       " + program.name + " " + command.words + " [--config FILE] [arguments]\n";
  text += "\nWithout an action the service runs until SIGTERM or SIGINT.\n\n";
  const auto line = [&text](std::string_view name, std::string_view help) {
    std::string padded(name);
    padded.resize(std::max<std::size_t>(padded.size() + 2, 22), ' ');
    text += "  " + padded + std::string(help) + "\n";
  };
  line("--config FILE", "YAML configuration; without it, defaults and SPANWAY_* variables");
  for (const Flag& flag : kFlags) line(flag.name, flag.help);
  for (const Program::Command& command : program.commands) line(command.words, command.help);
  text += "\nExit code: 0 clean, 1 failed or drained incompletely, 2 bad usage or configuration.\n";
  return text;
}

}  // namespace spanway::runtime
