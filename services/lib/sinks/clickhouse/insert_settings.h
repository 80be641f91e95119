// The settings that make one block one part: inserted completely, once, or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/block/block.h"
#include "services/lib/clickhouse/query.h"

namespace spanway::sinks {

struct InsertPolicy {
  std::int64_t quorum = 0;   // Replicas that must have an insert before it is acknowledged.
  bool distributed = false;  // Tables are Distributed ones.
};

// "2026-01-31" for days since 1970-01-01.
std::string date_text(std::int32_t day);

// "<batch>/<table>/<day>/<hash>": the same rows have the same token, other rows another one. A
// topic that is made again, and a second Kafka in front of the same database, use the same batch
// ids for other rows: the hash, of times and of what identifies a row (span_id, series_id),
// distinguishes them. Empty without a batch id: the insert is at least once then.
std::string deduplication_token(std::string_view batch_id, std::string_view table, std::int32_t day,
                                const block::Block& rows);

clickhouse::Settings data_settings(const InsertPolicy& policy, std::string token);
clickhouse::Settings dictionary_settings(const InsertPolicy& policy);

}  // namespace spanway::sinks
