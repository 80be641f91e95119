// JSON as Loki's parsers read it: no more of a text than is needed, so that what is broken behind
// that does no harm. Pure; thread-safe.
// Source: the behaviour of grafana/jsonparser.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::query::logql {

enum class JsonType : unsigned char { kString, kNumber, kBoolean, kNull, kObject, kArray };

// A value as written; a string without its quotes, its escapes as they are.
struct JsonValue {
  JsonType type = JsonType::kNull;
  std::string_view raw;
};

// The answer of a visitor: continue, or stop without an error.
enum class JsonStep : unsigned char { kContinue, kStop };
using JsonVisit = std::function<JsonStep(std::string_view key, const JsonValue& value)>;

// Calls `visit` for each member of an object, whose nested values it may visit in turn. What is
// wrong with the object, in jsonparser's words; "" for nothing, also after kStop.
std::string each_member(std::string_view text, const JsonVisit& visit);

// The text of a string with its escapes resolved and broken UTF-8 as spaces; nothing for an escape
// that is none.
std::optional<std::string> json_text(std::string_view raw);

// Keys, and indexes as "[0]", down to a value; nothing when one is missing.
std::optional<JsonValue> find_json(std::string_view text, const std::vector<std::string>& path);

// The path of `a.b[0]["c d"]`; nothing for a text that is none, with what is wrong in `error`.
std::optional<std::vector<std::string>> parse_json_path(std::string_view text, std::string& error);

}  // namespace spanway::query::logql
