// Patterns of lines: literal text with captures, "<ip> - <_> \"<method> <uri>\"".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query::logql {

// Immutable and thread-safe. Errors: INVALID_ARGUMENT, data, in Loki's words.
class LinePattern {
 public:
  // For `| pattern`: with at least one named capture, each name once.
  static Result<LinePattern> for_captures(std::string_view text);
  // For `|>` and `!>`: without named captures.
  static Result<LinePattern> for_filter(std::string_view text);

  // The named captures of a line, up to the first literal that it lacks. Views of `line`.
  std::vector<std::pair<std::string_view, std::string_view>> captures(std::string_view line) const;
  // True when the whole line is as the pattern; a capture is not empty.
  bool matches(std::string_view line) const;

 private:
  struct Node {
    bool is_capture = false;
    std::string text;  // A literal, or the name of the capture.
    bool is_unnamed() const { return text == "_"; }
  };
  static std::vector<Node> parse(std::string_view text);
  static Status check_separated(const std::vector<Node>& nodes);
  explicit LinePattern(std::vector<Node> nodes) : nodes_(std::move(nodes)) {}
  std::vector<Node> nodes_;
};

}  // namespace spanway::query::logql
