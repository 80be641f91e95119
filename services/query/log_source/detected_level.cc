#include "services/query/log_source/detected_level.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/query/logql/json_scan.h"
#include "services/query/logql/logfmt_scan.h"

namespace spanway::query {
namespace {

constexpr std::string_view kUnknown = "unknown";
constexpr std::string_view kSpaces = " \t\n\v\f\r";
// Objects of a line of JSON that Loki reads, one in the other.
constexpr int kJsonDepthMax = 2;

constexpr std::array<std::string_view, 14> kLevelNames = {
    "level",    "LEVEL",         "Level",         "log.level",    "severity",
    "SEVERITY", "Severity",      "SeverityText",  "lvl",          "LVL",
    "Lvl",      "severity_text", "Severity_Text", "SEVERITY_TEXT"};

constexpr std::pair<std::string_view, std::string_view> kLevels[] = {
    {"trace", "trace"}, {"trc", "trace"},        {"debug", "debug"},      {"dbg", "debug"},
    {"info", "info"},   {"inf", "info"},         {"information", "info"}, {"warn", "warn"},
    {"wrn", "warn"},    {"warning", "warn"},     {"error", "error"},      {"err", "error"},
    {"fatal", "fatal"}, {"critical", "critical"}};

constexpr std::pair<std::string_view, std::string_view> kWords[] = {
    {"trace", "trace"},       {"debug", "debug"}, {"fatal", "fatal"},
    {"critical", "critical"}, {"error", "error"}, {"err", "error"},
    {"warning", "warn"},      {"warn", "warn"},   {"info", "info"}};

bool is_level_name(std::string_view name) {
  return std::find(kLevelNames.begin(), kLevelNames.end(), name) != kLevelNames.end();
}

std::optional<std::string_view> known_level(std::string_view text) {
  for (const auto& [name, level] : kLevels)
    if (equals_ignoring_case(name, text)) return level;
  return std::nullopt;
}

std::optional<std::string_view> named_level(const Labels& labels) {
  for (const std::string_view name : kLevelNames)
    for (const auto& [own, value] : labels)
      if (own == name) return value;
  return std::nullopt;
}

std::string_view level_of_severity(std::string_view number) {
  int severity = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), severity);
  if (parsed.ec != std::errc()) return "info";
  constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                      "warn",  "error", "fatal"};
  // Four numbers each, from 1 on.
  if (severity < 1 || severity > 24) return severity < 0 ? "trace" : kUnknown;
  return kNames[static_cast<std::size_t>(severity - 1) / 4];
}

std::string json_level(std::string_view object, int depth) {
  std::string found;
  if (depth >= kJsonDepthMax) return found;
  logql::each_member(object, [&](std::string_view key, const logql::JsonValue& value) {
    if (value.type == logql::JsonType::kString && is_level_name(key))
      found = value.raw;
    else if (value.type == logql::JsonType::kObject)
      found = json_level(value.raw, depth + 1);
    return found.empty() ? logql::JsonStep::kContinue : logql::JsonStep::kStop;
  });
  return found;
}

// The value of the name that comes first in the list; a pair that is broken ends the line.
std::string logfmt_level(std::string_view line) {
  std::size_t best = kLevelNames.size();
  std::string found;
  logql::LogfmtScan scan(line);
  while (best > 0 && !scan.at_end() && scan.next())
    for (std::size_t i = 0; i < best; ++i)
      if (equals_ignoring_case(scan.key(), kLevelNames[i])) {
        best = i;
        found = scan.value();
      }
  return found;
}

bool is_bounded(std::string_view line, std::size_t at, std::size_t bytes) {
  constexpr std::string_view kLeft = " \t\n[({\"=", kRight = " \t\n[](){}:,!\"=";
  return (at == 0 || kLeft.find(line[at - 1]) != kLeft.npos) &&
         (at + bytes >= line.size() || kRight.find(line[at + bytes]) != kRight.npos);
}

std::string_view level_of_words(std::string_view text) {
  const std::string line = to_lower(text);
  std::size_t first = line.size();
  std::string_view level = kUnknown;
  for (const auto& [word, own] : kWords) {
    std::size_t at = line.find(word);
    while (at != line.npos && !is_bounded(line, at, word.size())) at = line.find(word, at + 1);
    if (at >= first) continue;
    first = at;
    level = own;
  }
  return level;
}

}  // namespace

std::string detected_level(const Labels& stream, const Labels& metadata, std::string_view line) {
  for (const Labels* labels : {&stream, &metadata})
    if (const auto level = named_level(*labels))
      return std::string(known_level(*level).value_or(*level));
  if (const std::string_view number = value_of(metadata, "severity_number"); !number.empty())
    return std::string(level_of_severity(number));
  const std::string_view content = trim(line, kSpaces);
  std::string named;
  if (content.starts_with('{') && content.ends_with('}'))
    named = json_level(content, 0);
  else if (line.find('=') != line.npos)
    named = logfmt_level(line);
  return std::string(known_level(named).value_or(level_of_words(line)));
}

}  // namespace spanway::query
