// Blocks as ClickHouse's Native format, the way INSERT takes them.
#pragma once

#include <cstddef>

#include "services/lib/base/bytes.h"
#include "services/lib/block/block.h"

namespace spanway::clickhouse {

// At least what append_native() appends: for the permit. Never more than the block's memory plus a
// few bytes a column.
std::size_t native_bytes_max(const block::Block& block) noexcept;

// Appends one block. Its columns have equal numbers of rows (block.check()). The bytes are a
// function of the rows alone. Stateless; thread-safe.
void append_native(const block::Block& block, Bytes& out);

}  // namespace spanway::clickhouse
