#include "services/query/api/tempo/tag_search.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "services/query/traceql/attribute.h"
#include "services/query/traceql/lexer.h"

namespace spanway::query::tempo {
namespace {

constexpr std::size_t kTagsMax = 16;

Error bad(std::string what) {
  return invalid_argument(std::move(what)).with_reason("bad_parameters");
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + "\"";
}

// A pattern that finds the text anywhere, in either case.
std::string pattern_of(std::string_view text) {
  std::string pattern = "(?is).*";
  for (const char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return quoted(pattern + ".*");
}

bool is_number(std::string_view text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && text[0] != '-' &&
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string condition_of(const std::string& key, const std::string& value) {
  if (key == "name") return "name =~ " + pattern_of(value);
  if (key == "root.name") return "rootName =~ " + pattern_of(value);
  if (key == "root.service.name") return "rootServiceName =~ " + pattern_of(value);
  if (key == "error" && value == "true") return "status = error";
  if (key == "status.code" && (value == "ok" || value == "error" || value == "unset"))
    return "status = " + value;
  const std::string attribute = to_string(traceql::Attribute{.name = key});
  std::string condition = attribute + " =~ " + pattern_of(value);
  if (is_number(value)) condition += " || " + attribute + " = " + value;
  if (value == "true" || value == "false") condition += " || " + attribute + " = " + value;
  return condition;
}

// One key=value pair off the front.
Result<std::pair<std::string, std::string>> take_pair(std::string_view& text) {
  std::pair<std::string, std::string> result;
  const std::size_t key_end = std::min(text.find_first_of("= \t"), text.size());
  result.first = text.substr(0, key_end);
  text.remove_prefix(key_end);
  if (text.empty() || text[0] != '=') return result;
  text.remove_prefix(1);
  if (text.empty() || text[0] != '"') {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    result.second = text.substr(0, end);
    text.remove_prefix(end);
    return result;
  }
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    result.second += text[i];
  }
  if (i >= text.size()) return bad("invalid tags: unterminated quoted value");
  text.remove_prefix(i + 1);
  return result;
}

Result<std::optional<std::int64_t>> duration_of(const Parameters& parameters, const char* name) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return std::optional<std::int64_t>();
  const auto duration = traceql::parse_duration(text);
  if (!duration)
    return bad("invalid " + std::string(name) + ": \"" + std::string(text) + "\" is no duration");
  return duration;
}

}  // namespace

Result<std::string> query_of_tags(const Parameters& parameters) {
  std::map<std::string, std::string> tags;
  std::string_view text = parameters.get("tags");
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
    if (text.empty()) break;
    SPANWAY_ASSIGN(auto pair, take_pair(text));
    if (pair.first.empty()) return bad("invalid tags: a tag has no key");
    if (tags.size() == kTagsMax) return bad("invalid tags: more than " + std::to_string(kTagsMax));
    const std::string key = pair.first;
    if (!tags.insert(std::move(pair)).second)
      return bad("invalid tags: tag " + key + " has been set twice");
  }
  std::string query;
  for (const auto& [key, value] : tags)
    query += (query.empty() ? "{ " : " && { ") + condition_of(key, value) + " }";
  if (query.empty()) query = "{ }";
  SPANWAY_ASSIGN(const auto least, duration_of(parameters, "minDuration"));
  SPANWAY_ASSIGN(const auto most, duration_of(parameters, "maxDuration"));
  if (least && most && *least > *most)
    return bad("invalid maxDuration: must be greater than minDuration");
  if (least) query += " | { traceDuration >= " + std::to_string(*least) + "ns }";
  if (most) query += " | { traceDuration <= " + std::to_string(*most) + "ns }";
  return query;
}

}  // namespace spanway::query::tempo
