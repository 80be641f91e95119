// Splits a query into its words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/promql/token.h"

namespace spanway::query::promql {

// The words in order, without comments, then kEof; or kError as the last one, with Prometheus's
// text for what is wrong.
std::vector<Item> lex(std::string_view query);

// The value of a string literal as written: "..", '..' with Go's escapes, or `..` without.
// INVALID_ARGUMENT, data, for an escape that is none.
Result<std::string> unquote(std::string_view literal);

void append_utf8(std::string& out, std::uint32_t code);

// Milliseconds of "1h30m": units y w d h m s ms, from large to small, each once. INVALID_ARGUMENT,
// data, for anything else and for what is longer than 292 years.
Result<std::int64_t> parse_duration(std::string_view text);
// As Prometheus prints it: "1h30m", "0s".
std::string print_duration(std::int64_t ms);

}  // namespace spanway::query::promql
