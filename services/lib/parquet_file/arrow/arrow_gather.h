// Chosen rows of a column, in a chosen order, as an Arrow array. Internal to parquet_arrow.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/column.h"

namespace spanway::parquet_file {

using Rows = std::span<const std::uint32_t>;

// Copies. RESOURCE_EXHAUSTED when texts of one column pass 2 GiB, Arrow's limit.
Result<std::shared_ptr<arrow::Array>> gather(const block::Column& column, Rows rows,
                                             arrow::MemoryPool& pool);

// The same for arrays of equal lengths that are the members of a list of structs of type `list`.
Result<std::shared_ptr<arrow::Array>> gather_structs(
    std::span<const block::ListColumn* const> columns, Rows rows,
    const std::shared_ptr<arrow::DataType>& list, arrow::MemoryPool& pool);

}  // namespace spanway::parquet_file
