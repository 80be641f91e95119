#include "services/lib/parquet_file/codec.h"

namespace spanway::parquet_file {

Result<block::Block> File::read(std::size_t row_group, std::span<const block::Field> fields) {
  block::Block block(fields);
  SPANWAY_TRY(read_into(row_group, block));
  return block;
}

}  // namespace spanway::parquet_file
