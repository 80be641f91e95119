// The statements of a migration as they are executed: on one server as they are, on a cluster as
// replicated and distributed tables rendered from the same text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/schema/migrations.h"

namespace spanway::schema {

// `cluster` empty: the statements of the file. Else each table t becomes t_local, replicated by its
// shard's servers (macros {shard} and {replica}), and t itself, a Distributed table over all
// shards; materialized views read and write the local tables. A cluster's name holds letters,
// digits, '_',
// '-' and '.': INVALID_ARGUMENT, configuration, for any other.
Result<std::vector<std::string>> render(const Migration& migration, std::string_view cluster);

// The expression that chooses the shard of a row; empty for tables that views fill, which no
// client inserts into.
std::string_view sharding_key(std::string_view table) noexcept;

}  // namespace spanway::schema
