#include "services/load/flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

namespace spanway::load {
namespace {

struct Unit {
  std::string_view name;
  Duration size;
};
// Longer names first: "ms" is not "m".
constexpr std::array kUnits = {
    Unit{"ms", std::chrono::milliseconds(1)}, Unit{"us", std::chrono::microseconds(1)},
    Unit{"ns", std::chrono::nanoseconds(1)},  Unit{"s", std::chrono::seconds(1)},
    Unit{"m", std::chrono::minutes(1)},       Unit{"h", std::chrono::hours(1)}};
constexpr double kDurationMaxSeconds = 30 * 24 * 3600.0;

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const auto amount = parse_number<double>(text.substr(0, text.size() - unit.name.size()));
    if (!amount || !(*amount >= 0)) return std::nullopt;
    const double nanoseconds = *amount * static_cast<double>(unit.size.count());
    if (nanoseconds > kDurationMaxSeconds * 1e9) return std::nullopt;
    return Duration(std::llround(nanoseconds));
  }
  return std::nullopt;
}

std::string to_string(Duration duration) {
  for (const std::string_view name : {"h", "m", "s", "ms", "us"}) {
    const auto unit = std::ranges::find(kUnits, name, &Unit::name);
    if (duration.count() != 0 && duration.count() % unit->size.count() == 0) {
      return std::to_string(duration.count() / unit->size.count()) + std::string(name);
    }
  }
  return duration.count() == 0 ? "0s" : std::to_string(duration.count()) + "ns";
}

void FlagSet::add(std::string_view name, std::string& member, std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = member,
                    .set =
                        [&member](std::string_view text) {
                          member = text;
                          return true;
                        },
                    .expected = "text"});
}

void FlagSet::add(std::string_view name, double& member, std::string_view help) {
  std::string text = std::to_string(member);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = std::move(text),
                    .set =
                        [&member](std::string_view value) {
                          const auto number = parse_number<double>(value);
                          if (number && *number >= 0 && *number < 1e12) member = *number;
                          return number && *number >= 0 && *number < 1e12;
                        },
                    .expected = "a number from 0"});
}

void FlagSet::add(std::string_view name, std::uint64_t& member, std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = std::to_string(member),
                    .set =
                        [&member](std::string_view text) {
                          const auto number = parse_number<std::uint64_t>(text);
                          if (number) member = *number;
                          return number.has_value();
                        },
                    .expected = "a whole number from 0"});
}

void FlagSet::add(std::string_view name, std::optional<std::uint16_t>& port,
                  std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = port ? std::to_string(*port) : "",
                    .set =
                        [&port](std::string_view text) {
                          const auto number = parse_number<std::uint16_t>(text);
                          if (number) port = number;
                          return number.has_value();
                        },
                    .expected = "a port from 0 to 65535"});
}

void FlagSet::add(std::string_view name, Duration& member, std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = to_string(member),
                    .set =
                        [&member](std::string_view text) {
                          const auto duration = parse_duration(text);
                          if (duration) member = *duration;
                          return duration.has_value();
                        },
                    .expected = "a duration such as 300ms, 5s or 2m"});
}

void FlagSet::add(std::string_view name, bool& member, std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = "",
                    .is_bool = true,
                    .set =
                        [&member](std::string_view text) {
                          member = text == "true";
                          return text == "true" || text == "false";
                        },
                    .expected = "true or false"});
}

void FlagSet::add(std::string_view name, std::vector<std::string>& member, std::string_view help) {
  flags_.push_back({.name = std::string(name),
                    .help = std::string(help),
                    .default_text = "",
                    .set =
                        [&member](std::string_view text) {
                          member.emplace_back(text);
                          return true;
                        },
                    .expected = "text"});
}

FlagSet::Flag* FlagSet::find(std::string_view name) noexcept {
  const auto found = std::ranges::find(flags_, name, &Flag::name);
  return found == flags_.end() ? nullptr : &*found;
}

bool FlagSet::given(std::string_view name) const noexcept {
  const auto found = std::ranges::find(flags_, name, &Flag::name);
  return found != flags_.end() && found->given;
}

Status FlagSet::parse(std::span<const std::string_view> arguments) {
  std::string mistakes;
  const auto mistake = [&mistakes](std::string text) {
    mistakes += (mistakes.empty() ? "" : "\n") + std::move(text);
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view name = arguments[i];
    if (!name.starts_with('-') || name == "-" || name == "--") {
      mistake("'" + std::string(name) + "' is not a flag");
      continue;
    }
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    std::optional<std::string_view> value;
    if (const std::size_t equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    if (name == "help" || name == "h") {
      help_wanted_ = true;
      continue;
    }
    Flag* flag = find(name);
    if (flag == nullptr) {
      mistake("unknown flag --" + std::string(name) + "; see --help");
      continue;
    }
    flag->given = true;
    if (!value && flag->is_bool) value = "true";
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value) {
      mistake("--" + flag->name + " needs a value: " + flag->expected);
    } else if (!flag->set(*value)) {
      mistake("--" + flag->name + " " + std::string(*value) + ": expected " + flag->expected);
    }
  }
  if (mistakes.empty()) return ok_status();
  return invalid_argument(std::move(mistakes)).with_reason("bad_flags");
}

std::string FlagSet::help() const {
  std::string text = "usage: " + usage_ + "\n" + summary_ + "\n\n";
  for (const Flag& flag : flags_) {
    std::string line = "  --" + flag.name;
    line.resize(std::max<std::size_t>(22, line.size() + 1), ' ');
    text += line + flag.help;
    if (!flag.default_text.empty()) text += " (default " + flag.default_text + ")";
    text += "\n";
  }
  return text;
}

}  // namespace spanway::load
