// The order of a block's rows by some of its columns. Internal to parquet_arrow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::parquet_file {

// Ascending by these columns of one size (numbers, times, FixedString), then by the row itself:
// one order for equal rows. INTERNAL when a column is missing or has no fixed size.
Result<std::vector<std::uint32_t>> row_order(const block::Block& rows,
                                             std::span<const std::string> columns);

}  // namespace spanway::parquet_file
