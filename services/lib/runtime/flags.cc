#include "services/lib/runtime/flags.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "services/lib/config/scalar.h"

namespace spanway::runtime {
namespace {

constexpr std::size_t kHelpColumn = 22;
constexpr double kNumberMax = 1e12;
constexpr Duration kDurationMax = std::chrono::hours(30 * 24);

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A setter of numbers, for a member or an optional member.
template <typename T, typename Member>
FlagSet::Setter number_setter(Member& member) {
  return [&member](std::string_view text) {
    const auto number = parse_number<T>(text);
    if (number) member = *number;
    return number.has_value();
  };
}

bool is_flag(std::string_view argument) {
  return argument.starts_with('-') && argument != "-" && argument != "--";
}

std::string_view without_dashes(std::string_view argument) {
  argument.remove_prefix(
      std::min<std::size_t>(argument.size(), argument.starts_with("--") ? 2 : 1));
  return argument;
}

}  // namespace

void FlagSet::add(std::string_view name, Setter set, std::string_view expected,
                  std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .expected = std::string(expected),
                    .set = std::move(set)});
}

void FlagSet::add(std::string_view name, std::string& member, std::string_view help) {
  const auto set = [&member](std::string_view text) {
    member = text;
    return true;
  };
  add(name, set, "text", help);
  flags_.back().default_text = member;
}

void FlagSet::add(std::string_view name, double& member, std::string_view help) {
  const auto set = [&member](std::string_view text) {
    const auto number = parse_number<double>(text);
    const bool good = number && *number >= 0 && *number < kNumberMax;
    if (good) member = *number;
    return good;
  };
  add(name, set, "a number from 0", help);
  flags_.back().default_text = config::format_double(member);
}

void FlagSet::add(std::string_view name, std::uint64_t& member, std::string_view help) {
  add(name, number_setter<std::uint64_t>(member), "an integer from 0", help);
  flags_.back().default_text = std::to_string(member);
}

void FlagSet::add(std::string_view name, std::optional<std::uint64_t>& member,
                  std::string_view help) {
  add(name, number_setter<std::uint64_t>(member), "an integer from 0", help);
  if (member) flags_.back().default_text = std::to_string(*member);
}

void FlagSet::add(std::string_view name, std::optional<std::uint16_t>& port,
                  std::string_view help) {
  add(name, number_setter<std::uint16_t>(port), "a port from 0 to 65535", help);
  if (port) flags_.back().default_text = std::to_string(*port);
}

void FlagSet::add(std::string_view name, Duration& member, std::string_view help) {
  const auto set = [&member](std::string_view text) {
    const auto duration = config::parse_duration(text);
    const bool good = duration && *duration <= kDurationMax;
    if (good) member = *duration;
    return good;
  };
  add(name, set, "a duration such as 300ms, 5s or 2m", help);
  flags_.back().default_text = config::format_duration(member);
}

void FlagSet::add(std::string_view name, bool& member, std::string_view help) {
  const auto set = [&member](std::string_view text) {
    member = text == "true";
    return text == "true" || text == "false";
  };
  add(name, set, "true or false", help);
  flags_.back().is_bool = true;
}

void FlagSet::add(std::string_view name, std::vector<std::string>& member, std::string_view help) {
  const auto set = [&member](std::string_view text) {
    member.emplace_back(text);
    return true;
  };
  add(name, set, "text", help);
}

void FlagSet::add_alias(std::string_view alias, std::string_view name) {
  if (Flag* flag = find(name)) flag->alias = alias;
}

FlagSet::Flag* FlagSet::find(std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      flags_, [name](const Flag& flag) { return flag.name == name || flag.alias == name; });
  return found == flags_.end() || name.empty() ? nullptr : &*found;
}

bool FlagSet::given(std::string_view name) const noexcept {
  const auto found = std::ranges::find(flags_, name, &Flag::name);
  return found != flags_.end() && found->given;
}

Error FlagSet::unknown(std::string_view argument) const {
  std::vector<std::string> names = {"--help"};
  for (const Flag& flag : flags_) names.push_back("--" + flag.name);
  const std::string_view name = argument.substr(0, argument.find('='));
  return invalid_argument("unknown argument " + config::quote(name) +
                          config::did_you_mean(name, names) + "; see --help");
}

std::string FlagSet::parse_flag(std::span<const std::string_view> arguments, std::size_t& i) {
  std::string_view name = without_dashes(arguments[i]);
  std::optional<std::string_view> value;
  if (const std::size_t equals = name.find('='); equals != std::string_view::npos) {
    value = name.substr(equals + 1);
    name = name.substr(0, equals);
  }
  Flag& flag = *find(name);
  flag.given = true;
  if (!value && flag.is_bool) value = "true";
  if (!value && i + 1 < arguments.size()) value = arguments[++i];
  if (!value) return "--" + flag.name + " needs a value: " + flag.expected;
  if (flag.set(*value)) return "";
  return "--" + flag.name + " " + config::escape(*value) + ": expected " + flag.expected;
}

Status FlagSet::parse(std::span<const std::string_view> arguments) {
  std::string mistakes;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::string_view name = without_dashes(argument).substr(
        0, is_flag(argument) ? without_dashes(argument).find('=') : 0);
    std::string mistake;
    if (name == "help" || name == "h") {
      help_requested_ = true;
    } else if (find(name) != nullptr) {
      mistake = parse_flag(arguments, i);
    } else if (words_ != nullptr && (!is_flag(argument) || !words_->empty())) {
      words_->emplace_back(argument);
    } else {
      mistake = unknown(argument).message;
    }
    if (!mistake.empty()) mistakes += (mistakes.empty() ? "" : "\n") + mistake;
  }
  if (mistakes.empty()) return ok_status();
  return invalid_argument(std::move(mistakes)).with_reason("bad_flags");
}

Status FlagSet::parse(const std::vector<std::string>& arguments) {
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  return parse(std::span<const std::string_view>(views));
}

std::string FlagSet::flags_help() const {
  std::string text;
  const auto add_line = [&text](std::string line, const std::string& help) {
    line.resize(std::max(kHelpColumn, line.size() + 1), ' ');
    text += line + help + "\n";
  };
  for (const Flag& flag : flags_) {
    const std::string alias = flag.alias.empty() ? "" : "-" + flag.alias + ", ";
    const std::string value = flag.default_text;
    add_line("  " + alias + "--" + flag.name,
             flag.help + (value.empty() ? "" : " (default " + value + ")"));
  }
  add_line("  --help", "this text");
  return text;
}

std::string FlagSet::help() const {
  return "usage: " + usage_ + "\n" + summary_ + "\n\n" + flags_help();
}

}  // namespace spanway::runtime
