// Appends the values of an Arrow array to a column of a block. Internal to parquet_arrow.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>

#include "services/lib/base/result.h"
#include "services/lib/block/column.h"

namespace spanway::parquet_file {

// Elements begin .. begin + count. INVALID_ARGUMENT, data, when the array's type is none that the
// column's type is stored as. A NULL in a column that has none is its default.
Status append_array(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                    block::Column& out);

// Elements of a list of structs, one member of them, to an Array column.
Status append_member(const arrow::Array& array, int member, block::ListColumn& out);

}  // namespace spanway::parquet_file
