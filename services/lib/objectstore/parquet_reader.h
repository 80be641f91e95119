// A Parquet file as blocks, of the columns that are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/objectstore/byte_source.h"

namespace spanway::objectstore {

// Reads the footer when it is opened, and afterwards only the columns and row groups asked for.
// External lock; owns its source. Every call may block on the source, and returns its error.
// INVALID_ARGUMENT, data, "malformed_parquet" for a file that is broken or has other types than
// asked for.
class ParquetFile {
 public:
  static Result<std::unique_ptr<ParquetFile>> open(std::shared_ptr<ByteSource> source);
  ~ParquetFile();

  std::uint64_t rows() const noexcept;
  std::size_t row_groups() const noexcept;
  std::uint64_t rows_of(std::size_t row_group) const;
  // The texts in the footer.
  const std::map<std::string, std::string>& metadata() const noexcept;

  // A block of these fields; a field that the file does not have holds its type's default.
  Result<block::Block> read(std::size_t row_group, std::span<const block::Field> fields);
  // The same, appended to a block, which is of no use after an error.
  Status read_into(std::size_t row_group, block::Block& out);
  // True when each column of the file is one of these fields: read() of them loses nothing.
  bool has_only(std::span<const block::Field> fields) const;
  // False = no row of the group has this value in this FixedString or text column. True where the
  // column has no bloom filter.
  Result<bool> may_contain(std::size_t row_group, std::string_view column, std::string_view value);

 private:
  struct Impl;
  explicit ParquetFile(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::objectstore
