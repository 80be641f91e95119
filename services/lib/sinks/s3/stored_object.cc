#include "services/lib/sinks/s3/stored_object.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/schema/migrations.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/s3/row_context.h"

namespace spanway::sinks {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::uint8_t kNanosScale = 9;
using objectstore::StoredTable;
// Pages, dictionaries and sort keys on top of twice the block.
constexpr std::size_t kEncodeMarginBytes = 1u << 20;

// A JSON array, ascending; nothing when there are too many.
std::optional<std::string> names_of(const block::Column& rows) {
  std::set<std::string_view> names;
  const auto& column = static_cast<const block::DictionaryColumn&>(rows);
  for (std::size_t row = 0; row < column.rows(); ++row) {
    names.insert(column.at(row).value_or(""));
    if (names.size() > kFooterNamesMax) return std::nullopt;
  }
  std::string text;
  JsonWriter json(text);
  json.begin_array();
  for (const std::string_view name : names) json.value(name);
  json.end_array();
  return text;
}

objectstore::ObjectName name_of(const otlp_blocks::DataBlock& data, const std::string& batch) {
  const auto& column = static_cast<const block::FixedColumn&>(*data.rows.find("ts"));
  const auto times = column.values<std::int64_t>();
  const auto [first, last] = std::minmax_element(times.begin(), times.end());
  // Times of spans and log records are in nanoseconds, those of data points in milliseconds.
  const std::int64_t per_ms = column.type().scale == kNanosScale ? kNanosPerMs : 1;
  return {.min_ms = *first / per_ms,
          .max_ms = *last / per_ms,
          .rows = data.rows.rows(),
          .batch = objectstore::batch_name(batch)};
}

Result<StoredObject> encode_object(const parquet_file::Codec& codec, otlp_blocks::DataBlock data,
                                   const RowContext& context, const ObjectIdentity& identity) {
  const auto table = objectstore::parse_stored_table(data.table);
  SPANWAY_CHECK(table.has_value());
  const objectstore::ObjectName name = name_of(data, identity.batch);
  context.add_columns(*table, data.rows);
  parquet_file::WriteOptions options = parquet_options(*table);
  add_footer_texts(*table, data.rows, identity.tenant, identity.batch, options);
  StoredObject object{
      .key = objectstore::hour_folder(identity.prefix, *table, identity.tenant, name.min_ms) +
             to_string(name),
      .table = *table,
      .day = data.day,
      .rows = data.rows.rows(),
      .body = {}};
  SPANWAY_ASSIGN(object.body, codec.encode(std::move(data.rows), options));
  return object;
}

}  // namespace

parquet_file::WriteOptions parquet_options(StoredTable table) {
  parquet_file::WriteOptions options;
  switch (table) {
    case StoredTable::kSpans:
      options.sort_by = {"trace_id", "ts"};
      options.bloom_columns = {"trace_id"};
      options.plain_columns = {"span_id", "parent_span_id", "ts", "duration_ns"};
      break;
    case StoredTable::kLogs:
      options.sort_by = {"stream_id", "ts"};
      options.bloom_columns = {"trace_id"};
      options.plain_columns = {"span_id", "ts", "observed_ts", "body"};
      break;
    case StoredTable::kSamples:
    case StoredTable::kHistograms:
      options.sort_by = {"series_id", "ts"};
      options.bloom_columns = {"metric"};
      options.plain_columns = {"ts", table == StoredTable::kSamples ? "value" : "sum"};
      break;
    case StoredTable::kExemplars:
      options.sort_by = {"series_id", "ts"};
      options.bloom_columns = {"metric", "trace_id"};
      options.plain_columns = {"ts", "value", "trace_id", "span_id"};
      break;
  }
  return options;
}

void add_footer_texts(StoredTable table, const block::Block& rows, std::string_view tenant,
                      std::string_view batch, parquet_file::WriteOptions& options) {
  options.metadata = {
      {"spanway.schema_version", std::to_string(schema::migrations().back().version)},
      {"spanway.tenant", std::string(tenant)}};
  const bool is_metric = objectstore::holds_data_points(table);
  if (auto names = names_of(*rows.find(is_metric ? "metric" : "service_name")))
    options.metadata.emplace_back(is_metric ? "spanway.metrics" : "spanway.services",
                                  std::move(*names));
  options.metadata.emplace_back("spanway.batch", batch);
}

Result<std::vector<StoredObject>> encode_objects(const parquet_file::Codec& codec,
                                                 otlp_blocks::RequestBlocks blocks,
                                                 const ObjectIdentity& identity, Permit& permit) {
  // Texts become at most twice as long in JSON, and so do the columns that hold them.
  std::size_t dictionaries = blocks.memory_bytes();
  for (const otlp_blocks::DataBlock& data : blocks.data) dictionaries -= data.rows.memory_bytes();
  if (!permit.grow_to(blocks.memory_bytes() + 2 * dictionaries + kEncodeMarginBytes))
    return no_memory("encode a Parquet file");
  const RowContext context(blocks.dictionaries);
  blocks.dictionaries.clear();
  std::vector<StoredObject> objects;
  std::size_t encoded = 0, waiting = blocks.memory_bytes() + context.memory_bytes();
  for (otlp_blocks::DataBlock& data : blocks.data) {
    const std::size_t own = data.rows.memory_bytes();
    const std::size_t added = context.columns_bytes_max(data.rows.rows());
    if (!permit.grow_to(encoded + waiting + own + 2 * added + kEncodeMarginBytes))
      return no_memory("encode a Parquet file");
    SPANWAY_ASSIGN(StoredObject object, encode_object(codec, std::move(data), context, identity));
    waiting -= own;
    encoded += object.body.capacity();
    objects.push_back(std::move(object));
    permit.shrink_to(encoded + waiting);
  }
  permit.shrink_to(encoded);
  return objects;
}

}  // namespace spanway::sinks
