// Splits a query into its words.
#pragma once

#include <string_view>
#include <vector>

#include "services/query/logql/token.h"

namespace spanway::query::logql {

// The words in order, without comments, then kEof; or kError as the last one, in Loki's words.
std::vector<Item> lex(std::string_view query);

}  // namespace spanway::query::logql
