// The conditions of a search as a WHERE. Internal to query/store/clickhouse.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/lib/base/result.h"
#include "services/lib/clickhouse/select_stream.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Where attributes of a key have been seen, with which types. A key that is missing may be
// anywhere.
using KeyPlaces = std::map<std::string, std::set<std::pair<Scope, AttributeType>>, std::less<>>;

// The keys whose places make a condition cheaper: those of comparisons without a type or a scope.
std::set<std::string> keys_to_look_up(const SpanCondition& condition);

// Appends "WHERE tenant = ... AND ...", all conditions exact, for the range and the condition of
// the query, which check() has accepted.
void append_where(const SpanQuery& query, const KeyPlaces& places, const std::string& tenant,
                  clickhouse::Select& out);

// True when a condition that every match fulfils is in the text index, which then leads to the
// rows: time need not narrow the search.
bool is_led_by_index(const SpanCondition& condition, const KeyPlaces& places);

}  // namespace spanway::query
