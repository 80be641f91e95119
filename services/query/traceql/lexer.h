// Splits a query into its words.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "services/query/traceql/token.h"

namespace spanway::query::traceql {

// The words in order, without spaces and comments, then kEof; or kError as the last one.
std::vector<Item> lex(std::string_view query);

// Nanoseconds of a duration: Prometheus's form (1d12h: units y w d h m s ms, from large to small)
// or Go's (1.5h, 10us: units h m s ms us ns). Nothing for another text and beyond 292 years.
std::optional<std::int64_t> parse_duration(std::string_view text);

// True for what may be in the name of an attribute without quotes.
bool is_attribute_char(char c);

}  // namespace spanway::query::traceql
