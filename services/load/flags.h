// Command-line flags: --name value, --name=value, and the same with one dash.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::load {

// Declared once, then parsed once. The members that are bound outlive the set. External lock.
class FlagSet {
 public:
  // `usage` is the line behind "usage:".
  FlagSet(std::string usage, std::string summary)
      : usage_(std::move(usage)), summary_(std::move(summary)) {}

  // The default that --help shows is the member's value now.
  void add(std::string_view name, std::string& member, std::string_view help);
  void add(std::string_view name, double& member, std::string_view help);
  void add(std::string_view name, std::uint64_t& member, std::string_view help);
  void add(std::string_view name, std::optional<std::uint16_t>& port, std::string_view help);
  void add(std::string_view name, Duration& member, std::string_view help);  // 300ms, 5s, 2m, 1h
  void add(std::string_view name, bool& member, std::string_view help);  // --name alone is true.
  // May be given several times.
  void add(std::string_view name, std::vector<std::string>& member, std::string_view help);

  // Every mistake at once, one per line. Words that are no flags are mistakes, too.
  Status parse(std::span<const std::string_view> arguments);
  bool help_wanted() const noexcept { return help_wanted_; }
  // Whether the flag stood on the command line.
  bool given(std::string_view name) const noexcept;
  std::string help() const;

 private:
  struct Flag {
    std::string name;
    std::string help;
    std::string default_text;
    bool is_bool = false;
    bool given = false;
    std::function<bool(std::string_view)> set;  // False = not understood.
    const char* expected = "";
  };
  Flag* find(std::string_view name) noexcept;

  const std::string usage_;
  const std::string summary_;
  std::vector<Flag> flags_;
  bool help_wanted_ = false;
};

// "1.5s"; nothing when it is not a duration.
std::optional<Duration> parse_duration(std::string_view text);
std::string to_string(Duration duration);

}  // namespace spanway::load
