#include "services/lib/sinks/s3/stored_object.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/schema/migrations.h"
#include "services/lib/sinks/delivery.h"
#include "services/lib/sinks/s3/resource_columns.h"

namespace spanway::sinks {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
// Pages, dictionaries and sort keys on top of twice the block.
constexpr std::size_t kEncodeMarginBytes = 1u << 20;
constexpr std::size_t kServicesMax = 256;

std::string services_of(const block::Block& rows) {
  std::set<std::string_view> names;
  const auto& column = static_cast<const block::DictionaryColumn&>(*rows.find("service_name"));
  for (std::size_t row = 0; row < column.rows() && names.size() < kServicesMax; ++row)
    names.insert(column.at(row).value_or(""));
  std::string text;
  JsonWriter json(text);
  json.begin_array();
  for (const std::string_view name : names) json.value(name);
  json.end_array();
  return text;
}

objectstore::ObjectName name_of(const block::Block& rows, const std::string& batch) {
  const auto times =
      static_cast<const block::FixedColumn&>(*rows.find("ts")).values<std::int64_t>();
  const auto [first, last] = std::minmax_element(times.begin(), times.end());
  return {.min_ms = *first / kNanosPerMs,
          .max_ms = *last / kNanosPerMs,
          .rows = rows.rows(),
          .batch = objectstore::batch_name(batch)};
}

}  // namespace

parquet_file::WriteOptions parquet_options(otlp::Signal signal) {
  parquet_file::WriteOptions options;
  options.bloom_columns = {"trace_id"};
  if (signal == otlp::Signal::kTraces) {
    options.sort_by = {"trace_id", "ts"};
    options.plain_columns = {"span_id", "parent_span_id", "ts", "duration_ns"};
  } else {
    options.sort_by = {"stream_id", "ts"};
    options.plain_columns = {"span_id", "ts", "observed_ts", "body"};
  }
  return options;
}

void add_footer_texts(const block::Block& rows, std::string_view tenant, std::string_view batch,
                      parquet_file::WriteOptions& options) {
  options.metadata = {
      {"spanway.schema_version", std::to_string(schema::migrations().back().version)},
      {"spanway.tenant", std::string(tenant)},
      {"spanway.services", services_of(rows)},
      {"spanway.batch", std::string(batch)}};
}

Result<std::vector<StoredObject>> encode_objects(const parquet_file::Codec& codec,
                                                 otlp_blocks::RequestBlocks blocks,
                                                 const ObjectIdentity& identity, Permit& permit) {
  add_resource_columns(blocks);
  blocks.dictionaries.clear();
  std::vector<StoredObject> objects;
  std::size_t encoded = 0, waiting = blocks.memory_bytes();
  for (otlp_blocks::DataBlock& data : blocks.data) {
    const std::size_t own = data.rows.memory_bytes();
    if (!permit.grow_to(encoded + waiting + own + kEncodeMarginBytes))
      return no_memory("encode a Parquet file");
    const objectstore::ObjectName name = name_of(data.rows, identity.batch);
    parquet_file::WriteOptions options = parquet_options(identity.signal);
    add_footer_texts(data.rows, identity.tenant, identity.batch, options);
    StoredObject object{.key = objectstore::hour_folder(identity.prefix, identity.signal,
                                                        identity.tenant, name.min_ms) +
                               objectstore::to_string(name),
                        .table = data.table,
                        .day = data.day,
                        .rows = data.rows.rows(),
                        .body = {}};
    SPANWAY_ASSIGN(object.body, codec.encode(std::move(data.rows), options));
    waiting -= own;
    encoded += object.body.capacity();
    objects.push_back(std::move(object));
    permit.shrink_to(encoded + waiting);
  }
  return objects;
}

}  // namespace spanway::sinks
