// Names of the objects that hold telemetry, from which a reader learns what they hold without
// opening them:
//   <prefix>/v1/<folder>/tenant=<t>/date=<YYYY-MM-DD>/hour=<HH>/<min>-<max>-<rows>-<batch>.parquet
// with the folder of the table whose rows they are (traces, logs, metrics/samples), and the times
// of the first and the last row in milliseconds. The hour is that of the first row; the last one
// may be later on the same day.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spanway::objectstore {

inline constexpr std::string_view kObjectSuffix = ".parquet";
// Objects that compaction has created begin with this; the manifest of their hour names them.
inline constexpr std::string_view kCompactedPrefix = "c-";
inline constexpr std::string_view kManifestName = "_manifest.json";

// The content of the last part of a key.
struct ObjectName {
  std::int64_t min_ms = 0;  // Since 1970.
  std::int64_t max_ms = 0;
  std::uint64_t rows = 0;
  std::string batch;  // Names the batch: equal batches have equal keys.
  bool operator==(const ObjectName&) const = default;
};

// The tables of `schema` whose rows are stored as objects.
enum class StoredTable { kSpans, kLogs, kSamples, kHistograms, kExemplars };
inline constexpr std::array kStoredTables = {StoredTable::kSpans, StoredTable::kLogs,
                                             StoredTable::kSamples, StoredTable::kHistograms,
                                             StoredTable::kExemplars};
std::string_view to_string(StoredTable table) noexcept;  // "spans", as in `schema`.
std::optional<StoredTable> parse_stored_table(std::string_view name) noexcept;
// Its rows are data points or exemplars of series.
constexpr bool holds_data_points(StoredTable table) noexcept {
  return table >= StoredTable::kSamples;
}

// "<prefix>/v1/traces/": the folder of all tenants.
std::string table_folder(std::string_view prefix, StoredTable table);
// "<prefix>/v1/traces/tenant=acme/". A batch without a tenant has "_"; the tenant "_" has "%5F".
std::string tenant_folder(std::string_view prefix, StoredTable table, std::string_view tenant);
// "<prefix>/v1/traces/tenant=acme/date=2026-01-01/hour=09/" of a time.
std::string hour_folder(std::string_view prefix, StoredTable table, std::string_view tenant,
                        std::int64_t unix_ms);

// The batch's identity "topic:partition:first-last" as a part of a name: letters, digits, '.', '_',
// '~' and '-'; one that is longer than 200 bytes becomes its hash. Empty stays empty.
std::string batch_name(std::string_view batch_id);

std::string to_string(const ObjectName& name);  // With the suffix.
// Nothing for other objects, compacted ones and the manifest among them. `name` is the part behind
// the last '/'.
std::optional<ObjectName> parse_object_name(std::string_view name);
std::string_view name_of_key(std::string_view key) noexcept;

// The start of an hour's folder in ms; nothing for another folder.
std::optional<std::int64_t> hour_of_folder(std::string_view folder);

}  // namespace spanway::objectstore
