// Rows as a Parquet file in memory.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::objectstore {

struct ParquetOptions {
  // Columns of one size that the rows are sorted by.
  std::vector<std::string> sort_by;
  // Columns with a bloom filter, so that a reader skips row groups without an id.
  std::vector<std::string> bloom_columns;
  // Columns whose values hardly repeat (random ids): stored as they are.
  std::vector<std::string> plain_columns;
  // In the file's footer, in this order.
  std::vector<std::pair<std::string, std::string>> metadata;
  std::size_t row_group_rows = 128 * 1024;
};

// zstd(1), page index, statistics, fixed created_by. Equal rows and options make equal bytes, in
// every process, as long as the version of Arrow is the same. Columns are freed as they are
// written, when all rows fit into one row group. Thread-safe. Memory besides the block's: the
// result, one column, and the sort key of each row. Errors: RESOURCE_EXHAUSTED, transient, without
// memory; unknown for more than 2 GiB of texts in one column, so that the caller halves.
Result<Bytes> encode_parquet(block::Block rows, const ParquetOptions& options);

}  // namespace spanway::objectstore
