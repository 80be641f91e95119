#include "services/query/store/s3/object_rows.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/schema/file_columns.h"
#include "services/lib/schema/table.h"

namespace spanway::query {
namespace {

// A batch has about so many bytes before its repeated texts are written out, and at most so many
// rows.
constexpr std::uint64_t kBatchBytes = 1u << 20;
constexpr std::uint64_t kBatchRowsMin = 64, kBatchRowsMax = 4096;
// Memory of a batch, in Arrow and in our block.
constexpr std::uint64_t kBatchMemory = 8 * kBatchBytes;

const std::vector<block::Field>& table_fields() {
  static const std::vector<block::Field> fields = [] {
    auto all = schema::find_table("spans")->insert_fields();
    SPANWAY_CHECK(all.ok());
    std::erase_if(*all, [](const block::Field& field) { return field.name == "tenant"; });
    return std::move(all).value();
  }();
  return fields;
}

bool has(const std::vector<block::Field>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const block::Field& field) { return field.name == name; });
}

void add(std::string_view name, std::vector<block::Field>& fields) {
  if (has(fields, name)) return;
  for (const block::Field& field : table_fields())
    if (field.name == name) fields.push_back(field);
}

}  // namespace

Status ObjectRows::open(const objectstore::LiveObject& object,
                        std::optional<std::vector<std::size_t>> groups) {
  batches_.reset();
  key_ = object.key;
  SPANWAY_TRY(query_.reserve(kBatchMemory));
  SPANWAY_ASSIGN(file_, query_.open(object));
  groups_.clear();
  if (groups) groups_ = std::move(*groups);
  for (std::size_t group = 0; !groups && group < file_->row_groups(); ++group)
    groups_.push_back(group);
  std::reverse(groups_.begin(), groups_.end());
  return {};
}

Status ObjectRows::open_group(std::size_t group) {
  const parquet_file::GroupBytes bytes = file_->bytes_of(group, fields_);
  SPANWAY_TRY(query_.reserve(static_cast<std::size_t>(bytes.stored) + kBatchMemory));
  const std::uint64_t row_bytes =
      bytes.decoded / std::max<std::uint64_t>(file_->rows_of(group), 1) + 1;
  const std::uint64_t rows = std::clamp(kBatchBytes / row_bytes, kBatchRowsMin, kBatchRowsMax);
  auto batches = file_->batches(group, fields_, static_cast<std::size_t>(rows));
  if (!batches.ok()) return explained_by_store(std::move(batches).error().with_context(key_));
  batches_ = std::move(batches).value();
  return {};
}

Result<std::optional<block::Block>> ObjectRows::next() {
  while (true) {
    if (batches_) {
      auto batch = batches_->next();
      if (!batch.ok()) return explained_by_store(std::move(batch).error().with_context(key_));
      if (*batch) {
        SPANWAY_TRY(query_.count_rows((*batch)->rows()));
        return batch;
      }
      batches_.reset();
    }
    if (groups_.empty()) return std::optional<block::Block>();
    const std::size_t group = groups_.back();
    groups_.pop_back();
    SPANWAY_TRY(open_group(group));
  }
}

std::vector<block::Field> result_fields(bool all_columns) {
  if (all_columns) return table_fields();
  return fields_named({"ts", "duration_ns", "trace_id", "span_id", "parent_span_id", "service_name",
                       "name", "kind", "status", "res_id"});
}

std::vector<block::Field> with_fields(std::vector<block::Field> fields,
                                      std::span<const std::string_view> names) {
  for (const std::string_view name : names) add(name, fields);
  return fields;
}

std::vector<block::Field> fields_named(std::initializer_list<std::string_view> names) {
  return with_fields({}, std::span(names.begin(), names.size()));
}

std::vector<block::Field> with_resource(std::vector<block::Field> fields) {
  const auto text = block::parse_type("LowCardinality(String)");
  for (const char* name : {schema::kResourceAttributesColumn, schema::kResourceSchemaColumn})
    if (!has(fields, name)) fields.push_back({name, *text});
  return fields;
}

}  // namespace spanway::query
