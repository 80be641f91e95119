// The one parser of command lines: --name value, --name=value, the same with one dash, and words.
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

namespace spanway::runtime {

// Declared once, then parsed once. The members that are bound outlive the set. --help and -h are
// always known. External lock.
class FlagSet {
 public:
  // `usage` is the line behind "usage:".
  FlagSet(std::string usage, std::string summary)
      : usage_(std::move(usage)), summary_(std::move(summary)) {}

  // The default that help() shows is the member's value now.
  void add(std::string_view name, std::string& member, std::string_view help);
  void add(std::string_view name, double& member, std::string_view help);
  void add(std::string_view name, std::uint64_t& member, std::string_view help);
  void add(std::string_view name, std::optional<std::uint64_t>& member, std::string_view help);
  void add(std::string_view name, std::optional<std::uint16_t>& port, std::string_view help);
  void add(std::string_view name, Duration& member, std::string_view help);  // 300ms, 5s, 2m, 1h
  void add(std::string_view name, bool& member, std::string_view help);  // --name alone is true.
  // May be given several times.
  void add(std::string_view name, std::vector<std::string>& member, std::string_view help);
  // `set` returns false for a value it does not take; `expected` ("host:port") says what it takes.
  using Setter = std::function<bool(std::string_view value)>;
  void add(std::string_view name, Setter set, std::string_view expected, std::string_view help);
  // A second name of a flag: "f" for "file".
  void add_alias(std::string_view alias, std::string_view name);
  // Takes words that are no flags. From the first word on, unknown flags are words, too: they are
  // for the command that the words name. Without this, words are mistakes.
  void add_words(std::vector<std::string>& words) { words_ = &words; }

  // Every mistake at once, one per line. An error has the reason "bad_flags".
  Status parse(std::span<const std::string_view> arguments);
  Status parse(const std::vector<std::string>& arguments);
  bool help_requested() const noexcept { return help_requested_; }
  bool given(std::string_view name) const noexcept;
  std::string help() const;
  // The lines of help() for the flags alone.
  std::string flags_help() const;

 private:
  struct Flag {
    std::string name;
    std::string alias = {};
    std::string help;
    std::string default_text = {};
    std::string expected = {};
    bool is_bool = false;
    bool given = false;
    Setter set;
  };
  Flag* find(std::string_view name) noexcept;
  Error unknown(std::string_view argument) const;
  // Consumes the value of the flag at `i`, if it has one; returns the mistake or "".
  std::string parse_flag(std::span<const std::string_view> arguments, std::size_t& i);

  const std::string usage_;
  const std::string summary_;
  std::vector<Flag> flags_;
  std::vector<std::string>* words_ = nullptr;
  bool help_requested_ = false;
};

}  // namespace spanway::runtime
