#include "services/lib/clickhouse/native_reader.h"

#include <utility>

#include "services/lib/clickhouse/native_column_reader.h"

namespace spanway::clickhouse {

Result<std::optional<block::Block>> NativeReader::next() {
  if (rest_.empty()) return std::optional<block::Block>();
  NativeInput in(rest_);
  std::uint64_t columns = 0, rows = 0;
  block::Block block;
  Status status = read_dimensions(in, columns, rows);
  for (std::uint64_t i = 0; status.ok() && i < columns; ++i) status = read_column(in, rows, block);
  if (!status.ok()) {
    Error error = std::move(status).error();
    if (is_ends_early(error)) error.code = Code::kInvalidArgument;
    return error;
  }
  rest_ = in.rest();
  return std::optional<block::Block>(std::move(block));
}

}  // namespace spanway::clickhouse
