#include "services/lib/sinks/s3/row_context.h"

#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/block/copy_rows.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/otlp/value_json.h"
#include "services/lib/schema/file_columns.h"
#include "services/lib/schema/table.h"

namespace spanway::sinks {
namespace {

using block::DictionaryColumn;
using block::FixedColumn;
using block::ListColumn;
using block::TextView;

constexpr std::uint32_t kNoRow = ~std::uint32_t{0};
// One entry of a map of ids.
constexpr std::size_t kEntryBytes = 64;

block::Field text_field(std::string name) {
  return {std::move(name), *block::parse_type("LowCardinality(String)")};
}

std::vector<block::Field> table_fields(std::string_view table) {
  const schema::Table* found = schema::find_table(table);
  SPANWAY_CHECK(found != nullptr);
  auto fields = found->insert_fields();
  SPANWAY_CHECK(fields.ok());
  return std::move(fields).value();
}

// Columns of `series` that a row gets as they are.
constexpr std::array<std::string_view, 4> kCopiedOfSeries = {"type", "temporality", "monotonic",
                                                             "res_id"};
constexpr std::array<std::string_view, 3> kTextsOfSeries = {"otlp_name", "unit", "help"};
constexpr const char* kSeriesLabels = "series_labels";
constexpr const char* kResourceAttributes = schema::kResourceAttributesColumn;
constexpr const char* kResourceSchemaUrl = schema::kResourceSchemaColumn;

std::vector<block::Field> series_fields() {
  const std::vector<block::Field> all = table_fields("series");
  std::vector<block::Field> fields;
  const auto copy = [&](std::string_view name) {
    for (const block::Field& field : all)
      if (field.name == name) fields.push_back(field);
  };
  copy("series_id");
  for (const std::string_view name : kTextsOfSeries)
    fields.push_back(text_field(std::string(name)));
  fields.push_back(text_field(kSeriesLabels));
  for (const std::string_view name : kCopiedOfSeries) copy(name);
  return fields;
}

std::vector<block::Field> resource_fields() {
  return {{"res_id", *block::parse_type("UInt64")},
          text_field(kResourceAttributes),
          text_field(kResourceSchemaUrl)};
}

// Members of a JSON object, one map after the other.
class JsonOfMaps {
 public:
  JsonOfMaps(const block::Block& rows, std::size_t row) : rows_(rows), row_(row) {}

  template <typename AppendValue>
  JsonOfMaps& add(std::string_view map_name, const AppendValue& append_value) {
    const auto& map = static_cast<const ListColumn&>(*rows_.find(map_name));
    const auto keys = *TextView::of(map.nested(0));
    for (std::size_t at = map.begin_of(row_); at < map.end_of(row_); ++at) {
      out_ += out_.empty() ? '{' : ',';
      otlp::append_typed_json_key(*keys.at(at), out_);
      append_value(map.nested(1), at, out_);
    }
    return *this;
  }
  std::string take() { return out_.empty() ? std::move(out_) : std::move(out_) + '}'; }

 private:
  const block::Block& rows_;
  const std::size_t row_;
  std::string out_;
};

void append_text(const block::Column& values, std::size_t at, std::string& out) {
  out += json_quoted(*TextView::of(values)->at(at));
}

template <typename T>
T fixed(const block::Column& values, std::size_t at) {
  return static_cast<const FixedColumn&>(values).values<T>()[at];
}

std::string attributes_of(const block::Block& resources, std::size_t row) {
  return JsonOfMaps(resources, row)
      .add("attr_str", append_text)
      .add("attr_int",
           [](const block::Column& values, std::size_t at, std::string& out) {
             out += std::to_string(fixed<std::int64_t>(values, at));
           })
      .add("attr_dbl",
           [](const block::Column& values, std::size_t at, std::string& out) {
             otlp::append_typed_json_double(fixed<double>(values, at), out);
           })
      .add("attr_bool",
           [](const block::Column& values, std::size_t at, std::string& out) {
             out += fixed<std::uint8_t>(values, at) != 0 ? "true" : "false";
           })
      .add("attr_other",
           [](const block::Column& values, std::size_t at, std::string& out) {
             out += *TextView::of(values)->at(at);  // JSON already.
           })
      .take();
}

const block::Block* find_rows(const std::vector<otlp_blocks::DictionaryBlock>& dictionaries,
                              std::string_view table) {
  for (const otlp_blocks::DictionaryBlock& dictionary : dictionaries)
    if (dictionary.table == table) return &dictionary.rows;
  return nullptr;
}

block::Block series_context(const block::Block* series) {
  block::Block context(series_fields());
  if (series == nullptr) return context;
  const auto copy = [&](std::string_view name, std::size_t row) {
    block::append_row(*series->find(name), row, *context.find(name));
  };
  for (std::size_t row = 0; row < series->rows(); ++row) {
    copy("series_id", row);
    for (const std::string_view name : kTextsOfSeries)
      context.get<DictionaryColumn>(name).append(*TextView::of(*series->find(name))->at(row));
    context.get<DictionaryColumn>(kSeriesLabels)
        .append(JsonOfMaps(*series, row).add("labels", append_text).take());
    for (const std::string_view name : kCopiedOfSeries) copy(name, row);
  }
  return context;
}

block::Block resource_context(const block::Block* resources) {
  block::Block context(resource_fields());
  if (resources == nullptr) return context;
  const auto urls = *TextView::of(*resources->find("schema_url"));
  for (std::size_t row = 0; row < resources->rows(); ++row) {
    block::append_row(*resources->find("res_id"), row, *context.find("res_id"));
    context.get<DictionaryColumn>(kResourceAttributes).append(attributes_of(*resources, row));
    context.get<DictionaryColumn>(kResourceSchemaUrl).append(urls.at(row).value_or(""));
  }
  return context;
}

void gather(const DictionaryColumn& from, const std::vector<std::uint32_t>& places,
            DictionaryColumn& to) {
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < from.dictionary().rows(); ++i)
    texts.push_back(from.dictionary().at(i));
  std::vector<std::uint32_t> indexes;
  indexes.reserve(places.size());
  for (const std::uint32_t place : places)
    indexes.push_back(place == kNoRow ? 0 : from.indexes()[place]);
  const Status assigned = to.assign(texts, std::move(indexes));
  SPANWAY_CHECK(assigned.ok());
}

void gather(const FixedColumn& from, const std::vector<std::uint32_t>& places, FixedColumn& to) {
  for (const std::uint32_t place : places)
    place == kNoRow ? to.append_default() : to.append_raw(from.text_at(place));
}

}  // namespace

std::vector<block::Field> object_fields(objectstore::StoredTable table) {
  std::vector<block::Field> fields = table_fields(to_string(table));
  const auto add = [&](const std::vector<block::Field>& context) {
    fields.insert(fields.end(), context.begin() + 1, context.end());
  };
  if (objectstore::holds_data_points(table)) add(series_fields());
  add(resource_fields());
  return fields;
}

ContextTable::ContextTable(block::Block rows) : rows_(std::move(rows)) {
  const auto& ids = static_cast<const FixedColumn&>(rows_.column(0));
  for (std::size_t row = 0; row < ids.rows(); ++row)
    row_of_.emplace(ids.text_at(row), static_cast<std::uint32_t>(row));
}

std::vector<std::uint32_t> ContextTable::places_of(const FixedColumn& ids) const {
  std::vector<std::uint32_t> places;
  places.reserve(ids.rows());
  for (std::size_t row = 0; row < ids.rows(); ++row) {
    const auto found = row_of_.find(ids.text_at(row));
    places.push_back(found == row_of_.end() ? kNoRow : found->second);
  }
  return places;
}

void ContextTable::join(block::Block& rows) const {
  const std::vector<std::uint32_t> places = places_of(rows.get<FixedColumn>(rows_.name(0)));
  for (std::size_t i = 1; i < rows_.columns(); ++i) {
    block::ColumnPtr column = block::make_column(rows_.column(i).type());
    if (const auto* const texts = dynamic_cast<const DictionaryColumn*>(&rows_.column(i))) {
      gather(*texts, places, static_cast<DictionaryColumn&>(*column));
    } else {
      gather(static_cast<const FixedColumn&>(rows_.column(i)), places,
             static_cast<FixedColumn&>(*column));
    }
    rows.add(rows_.name(i), std::move(column));
  }
}

std::size_t ContextTable::join_bytes_max(std::size_t rows) const noexcept {
  constexpr std::size_t kIndexBytes = sizeof(std::uint32_t);
  std::size_t bytes_of_row = kIndexBytes;  // Its place.
  for (std::size_t i = 1; i < rows_.columns(); ++i) {
    const std::size_t width = block::value_bytes(rows_.column(i).type());
    bytes_of_row += width == 0 ? kIndexBytes : 2 * width;  // Values that grow may reserve twice.
  }
  return rows * bytes_of_row + 2 * rows_.memory_bytes();
}

std::size_t ContextTable::memory_bytes() const noexcept {
  return rows_.memory_bytes() + row_of_.size() * kEntryBytes;
}

RowContext::RowContext(const std::vector<otlp_blocks::DictionaryBlock>& dictionaries)
    : series_(series_context(find_rows(dictionaries, "series"))),
      resources_(resource_context(find_rows(dictionaries, "resources"))) {}

void RowContext::add_columns(objectstore::StoredTable table, block::Block& rows) const {
  if (objectstore::holds_data_points(table)) series_.join(rows);
  resources_.join(rows);
}

std::size_t RowContext::columns_bytes_max(std::size_t rows) const noexcept {
  return series_.join_bytes_max(rows) + resources_.join_bytes_max(rows);
}

std::size_t RowContext::memory_bytes() const noexcept {
  return series_.memory_bytes() + resources_.memory_bytes();
}

}  // namespace spanway::sinks
