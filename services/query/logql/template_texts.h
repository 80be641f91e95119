// Texts as the functions of Go's strings and of sprig change them. Private to this folder. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/labels/regex.h"
#include "services/query/logql/template_node.h"

namespace spanway::query::logql {

inline constexpr std::string_view kSpaces = " \t\n\v\f\r";

// ASCII letters only.
std::string upper(std::string_view text);
std::string title(std::string_view text);
std::string html_escaped(std::string_view text);
// The first `count` occurrences; all for a negative one.
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t count);
std::string trimmed(std::string_view text, std::string_view characters, bool left, bool right);
std::string without_prefix(std::string_view text, std::string_view prefix);
std::string without_suffix(std::string_view text, std::string_view suffix);
// Characters, not bytes.
std::string truncated(std::int64_t count, std::string_view text);
std::string substring(std::int64_t begin, std::int64_t end, std::string_view text);
std::string aligned(std::int64_t count, std::string_view text, bool left);
// An error when the result would exceed Template::kOutputBytesMax.
Result<TemplateValue> repeated(std::int64_t count, std::string_view text);
Result<TemplateValue> indented(std::int64_t count, std::string_view text);
Result<TemplateValue> seconds_of_duration(const TemplateCall& call);

// The whole match and its groups, of each match from left to right.
void each_match(const Regex& regex, std::string_view text,
                const std::function<void(const std::vector<std::string_view>& groups)>& visit);
// With "$1" and "${name}" in `replacement` as Go expands them, unless it is literal.
std::string replace_all(const Regex& regex, std::string_view text, std::string_view replacement,
                        bool is_literal);
std::string expanded(const Regex& regex, std::string_view replacement,
                     const std::vector<std::string_view>& groups);

}  // namespace spanway::query::logql
