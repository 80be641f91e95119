// Columns of a row that come from other tables, its series and its resource: a file needs no other
// object to be understood. Internal to the sink and to compaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::sinks {

// The columns of an object: those of its table; for data points those of their series (otlp_name,
// series_labels, type, temporality, monotonic, unit, help, res_id); and for all rows those of their
// resource (resource_attributes, resource_schema_url). Labels and attributes are one JSON object
// each, attributes in the form of otlp/value_json.h; "" when there are none.
std::vector<block::Field> object_fields(objectstore::StoredTable table);

// Rows of one table by an id. Immutable.
class ContextTable {
 public:
  // `rows` begins with the column of the id; the first row of an id counts.
  explicit ContextTable(block::Block rows);
  ContextTable(const ContextTable&) = delete;
  ContextTable& operator=(const ContextTable&) = delete;

  // Adds the other columns to rows that have a column of the id's name. Rows of an unknown id get
  // defaults.
  void join(block::Block& rows) const;
  // An upper bound of what join() allocates for so many rows.
  std::size_t join_bytes_max(std::size_t rows) const noexcept;
  std::size_t memory_bytes() const noexcept;

 private:
  std::vector<std::uint32_t> places_of(const block::FixedColumn& ids) const;

  const block::Block rows_;
  std::unordered_map<std::string_view, std::uint32_t> row_of_;  // Views of the first column.
};

// The series and the resources of one request. Immutable.
class RowContext {
 public:
  // All dictionaries of the request, none left out as known.
  explicit RowContext(const std::vector<otlp_blocks::DictionaryBlock>& dictionaries);

  // Makes the columns of `rows` those of object_fields().
  void add_columns(objectstore::StoredTable table, block::Block& rows) const;
  std::size_t columns_bytes_max(std::size_t rows) const noexcept;
  std::size_t memory_bytes() const noexcept;

 private:
  const ContextTable series_, resources_;
};

}  // namespace spanway::sinks
