// Columns of blocks as Arrow fields: how each type is stored in a Parquet file. Internal to
// parquet_arrow.
#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "services/lib/block/block.h"

namespace spanway::parquet_file {

// One column of the file. Columns "events.ts", "events.name" of a block, which are arrays of equal
// lengths, are one list of structs "events" in the file, as other engines expect it.
struct StoredField {
  std::string name;
  std::vector<std::size_t> columns;  // Indexes in the block; one unless this is a list of structs.
  std::vector<std::string> members;  // Names inside the struct, by column; else empty.
};

std::vector<StoredField> stored_fields(std::span<const block::Field> fields);

// LowCardinality and Enum8 are dictionaries of texts, FixedString and UInt128 fixed-size binary,
// times are timestamps in UTC; the others are what their name says.
std::shared_ptr<arrow::DataType> arrow_type(const block::Type& type);
std::shared_ptr<arrow::Field> arrow_field(const StoredField& stored,
                                          std::span<const block::Field> fields);

}  // namespace spanway::parquet_file
