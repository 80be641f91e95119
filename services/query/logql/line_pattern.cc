#include "services/query/logql/line_pattern.h"

#include <algorithm>
#include <optional>

namespace spanway::query::logql {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Bytes of a capture at the begin of a text; 0 for none.
std::size_t capture_bytes(std::string_view text) {
  if (text.size() < 3 || text[0] != '<' || !is_letter(text[1])) return 0;
  std::size_t end = 2;
  while (end < text.size() && (is_letter(text[end]) || (text[end] >= '0' && text[end] <= '9')))
    ++end;
  return end < text.size() && text[end] == '>' ? end + 1 : 0;
}

Error bad(std::string what) { return invalid_argument(std::move(what)).with_reason("bad_query"); }

}  // namespace

std::vector<LinePattern::Node> LinePattern::parse(std::string_view text) {
  std::vector<Node> nodes;
  while (!text.empty()) {
    const std::size_t capture = capture_bytes(text);
    if (capture > 0) {
      nodes.push_back({true, std::string(text.substr(1, capture - 2))});
      text.remove_prefix(capture);
      continue;
    }
    if (nodes.empty() || nodes.back().is_capture) nodes.push_back({false, ""});
    nodes.back().text += text.front();
    text.remove_prefix(1);
  }
  return nodes;
}

Status LinePattern::check_separated(const std::vector<Node>& nodes) {
  const auto twice =
      std::adjacent_find(nodes.begin(), nodes.end(),
                         [](const auto& a, const auto& b) { return a.is_capture && b.is_capture; });
  if (twice == nodes.end()) return {};
  return bad("found consecutive capture '<" + twice->text + "><" + std::next(twice)->text +
             ">': invalid expression");
}

Result<LinePattern> LinePattern::for_captures(std::string_view text) {
  std::vector<Node> nodes = parse(text);
  std::vector<std::string> names;
  for (const Node& node : nodes)
    if (node.is_capture && !node.is_unnamed()) names.push_back(node.text);
  if (nodes.empty()) return bad("syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
  if (names.empty()) return bad("at least one capture is required");
  SPANWAY_TRY(check_separated(nodes));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    return bad("duplicate capture name (" + *twice + "): invalid expression");
  return LinePattern(std::move(nodes));
}

Result<LinePattern> LinePattern::for_filter(std::string_view text) {
  std::vector<Node> nodes = parse(text);
  SPANWAY_TRY(check_separated(nodes));
  for (const Node& node : nodes)
    if (node.is_capture && !node.is_unnamed())
      return bad("named captures are not allowed: found '<" + node.text + ">'");
  return LinePattern(std::move(nodes));
}

std::vector<std::pair<std::string_view, std::string_view>> LinePattern::captures(
    std::string_view line) const {
  std::vector<std::pair<std::string_view, std::string_view>> found;
  if (line.empty() || nodes_.empty()) return found;
  std::size_t at = 0;
  if (!nodes_[0].is_capture) {
    if (!line.starts_with(nodes_[0].text)) return found;
    line.remove_prefix(nodes_[0].text.size());
    at = 1;
  }
  for (; at < nodes_.size(); at += 2) {
    const Node& capture = nodes_[at];
    const bool is_last = at + 1 == nodes_.size();
    const std::size_t end = is_last ? line.npos : line.find(nodes_[at + 1].text);
    if (!capture.is_unnamed()) found.emplace_back(capture.text, line.substr(0, end));
    if (end == line.npos) return found;
    line.remove_prefix(end + nodes_[at + 1].text.size());
  }
  return found;
}

bool LinePattern::matches(std::string_view line) const {
  if (line.empty() || nodes_.empty()) return line.empty() && nodes_.empty();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].is_capture) continue;
    const std::size_t begin = line.find(nodes_[i].text);
    // Behind a capture, a literal at once means that the capture is empty.
    if (begin == line.npos || (i != 0 && begin == 0)) return false;
    line.remove_prefix(begin + nodes_[i].text.size());
  }
  return nodes_.back().is_capture == !line.empty();
}

}  // namespace spanway::query::logql
