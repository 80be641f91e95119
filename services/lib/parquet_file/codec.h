// Blocks as Parquet files and back, without any header of Arrow: the program loads the library that
// does the work when a configuration needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/parquet_file/byte_source.h"

namespace spanway::parquet_file {

struct WriteOptions {
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

// Rows of one group, batch by batch. External lock; the file outlives it. Errors as of File.
class Batches {
 public:
  virtual ~Batches() = default;
  // The next rows as a block of the requested fields, in the order of the file; nothing at the end.
  virtual Result<std::optional<block::Block>> next() = 0;
};

// The size of some columns of a row group.
struct GroupBytes {
  std::uint64_t stored = 0;   // In the file: what reading them fetches.
  std::uint64_t decoded = 0;  // Without compression; a repeated text counts once.
};

// A file that is open for reading: its footer has been read, and afterwards only the requested
// columns and row groups. External lock; owns its source. Every call may block on the source, and
// returns its error. INVALID_ARGUMENT, data, "malformed_parquet" for a file that is broken or has
// other types than requested.
class File {
 public:
  virtual ~File() = default;

  virtual std::uint64_t rows() const noexcept = 0;
  virtual std::size_t row_groups() const noexcept = 0;
  virtual std::uint64_t rows_of(std::size_t row_group) const = 0;
  // The texts in the footer.
  virtual const std::map<std::string, std::string>& metadata() const noexcept = 0;

  // Appends the rows of a group to a block, which is of no use after an error. A field that the
  // file does not have holds its type's default.
  virtual Status read_into(std::size_t row_group, block::Block& out) = 0;
  // The same as a block of these fields.
  Result<block::Block> read(std::size_t row_group, std::span<const block::Field> fields);
  // The same rows, at most `rows_max` of them at a time: memory is that of the stored columns and
  // of one batch.
  virtual Result<std::unique_ptr<Batches>> batches(std::size_t row_group,
                                                   std::span<const block::Field> fields,
                                                   std::size_t rows_max) = 0;
  // By the footer alone.
  virtual GroupBytes bytes_of(std::size_t row_group,
                              std::span<const block::Field> fields) const = 0;
  // True when each column of the file is one of these fields: read() of them loses nothing.
  virtual bool has_only(std::span<const block::Field> fields) const = 0;
  // False = no row of the group has this value in this FixedString or text column, by its smallest
  // and largest value and by its bloom filter. True where the column has neither.
  virtual Result<bool> may_contain(std::size_t row_group, std::string_view column,
                                   std::string_view value) = 0;
};

// Stateless and thread-safe; lives as long as the process.
class Codec {
 public:
  // The rows as the bytes of a file: zstd(1), page index, statistics, fixed created_by. Equal rows
  // and options make equal bytes, in every process, as long as the version of Arrow is the same.
  // Columns are freed as they are written, when all rows fit into one row group. Memory besides the
  // block's: the result, one column, and the sort key of each row. Errors: RESOURCE_EXHAUSTED,
  // transient, without memory; unknown for more than 2 GiB of texts in one column, so that the
  // caller halves.
  virtual Result<Bytes> encode(block::Block rows, const WriteOptions& options) const = 0;
  virtual Result<std::unique_ptr<File>> open(std::shared_ptr<ByteSource> source) const = 0;

 protected:
  ~Codec() = default;
};

}  // namespace spanway::parquet_file
