// Tags: attributes and intrinsics by Tempo's names, for completion.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/query/api/tempo/search_parameters.h"

namespace spanway::query::tempo {

// {"tagNames":[..]} and {"scopes":[{"name":..,"tags":[..]}]}, in order.
std::string keys_v1_json(const std::vector<AttributeKey>& keys, const TagParameters& parameters);
std::string keys_v2_json(const std::vector<AttributeKey>& keys, const TagParameters& parameters);

// Values that need no store: of a status or a kind; empty for durations.
std::optional<std::vector<traceql::Value>> known_values(const std::string& tag, bool is_v2);
// The attributes whose values a tag has: of v2 one of TraceQL ("span.a", ".a", "name"); of v1 a
// name without a scope. INVALID_ARGUMENT, data, "bad_parameters" for a tag that is none.
Result<std::vector<traceql::Attribute>> attributes_of_tag(const std::string& tag, bool is_v2);
// A query that is maybe incomplete: the conditions of `{ a && b && }` that can be read; nothing
// when there are none, as Tempo then shows all values.
std::optional<traceql::Query> filter_of(const std::string& text);

// {"tagValues":[..]}, each once; of v2 with types.
std::string values_json(const std::vector<traceql::Value>& values, bool is_v2);

}  // namespace spanway::query::tempo
