#include "services/lib/sinks/clickhouse/insert_settings.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/otlp_blocks/identity.h"

namespace spanway::sinks {
namespace {

// Larger than any block of ours, so that the server does not split or join blocks.
constexpr const char* kNoLimit = "1000000000000";

// The columns that no version encodes otherwise.
std::string hash_of(const block::Block& rows) {
  std::string identities;
  for (const char* name : {"ts", "span_id", "series_id"})
    if (const auto* column = dynamic_cast<const block::FixedColumn*>(rows.find(name)))
      identities += column->bytes();
  return to_hex(otlp_blocks::murmur3(identities).low);
}

}  // namespace

std::string date_text(std::int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  char text[32];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

std::string deduplication_token(std::string_view batch_id, std::string_view table, std::int32_t day,
                                const block::Block& rows) {
  if (batch_id.empty()) return {};
  std::string token(batch_id);
  token += '/';
  token += table;
  return token + '/' + date_text(day) + '/' + hash_of(rows);
}

clickhouse::Settings dictionary_settings(const InsertPolicy& policy) {
  // The answer comes after the rows are stored, not after they are queued.
  clickhouse::Settings settings = {{"async_insert", "0"}};
  if (policy.quorum > 0) settings.emplace_back("insert_quorum", std::to_string(policy.quorum));
  if (policy.distributed) settings.emplace_back("distributed_foreground_insert", "1");
  return settings;
}

clickhouse::Settings data_settings(const InsertPolicy& policy, std::string token) {
  clickhouse::Settings settings = dictionary_settings(policy);
  settings.emplace_back("max_insert_block_size", kNoLimit);
  settings.emplace_back("min_insert_block_size_rows", kNoLimit);
  settings.emplace_back("min_insert_block_size_bytes", kNoLimit);
  // A block is one day of UTC, which is a part of two days where the server's time zone is another.
  settings.emplace_back("max_partitions_per_insert_block", "2");
  settings.emplace_back("deduplicate_blocks_in_dependent_materialized_views", "1");
  if (!token.empty()) settings.emplace_back("insert_deduplication_token", std::move(token));
  return settings;
}

}  // namespace spanway::sinks
