// Reads Native blocks off an answer that is still arriving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::clickhouse {

// Bytes go in as they come, blocks come out once they are complete. Columns are decoded one by one
// and their bytes dropped, so that at most one encoded column and the decoded rest of its block are
// kept. The input is not trusted, as in NativeReader. Single-thread.
class NativeDecoder {
 public:
  // A block that takes more than this, encoded, is RESOURCE_EXHAUSTED, data, "block_too_large".
  explicit NativeDecoder(std::size_t block_bytes_max) noexcept
      : block_bytes_max_(block_bytes_max) {}

  void append(std::string_view bytes) { bytes_.append(bytes); }
  // The next block, or nothing when its end has not arrived. Errors as of NativeReader, but for the
  // end of the input, which the decoder cannot know: see unread(). No further call after an error.
  Result<std::optional<block::Block>> next();
  // Decodes again although little has arrived since the last try: nothing more will come.
  void no_more() noexcept { tried_ = 0; }

  // True between two blocks with nothing left over.
  bool at_end() const noexcept { return !begun_ && unread().empty(); }
  // The bytes that have arrived and are part of no decoded column.
  std::string_view unread() const noexcept { return bytes_.view().substr(used_); }
  // Bytes kept here, encoded and decoded.
  std::size_t memory_bytes() const noexcept { return bytes_.capacity() + block_.memory_bytes(); }

 private:
  Result<bool> read_header();
  Result<bool> read_column();
  void drop(std::size_t bytes);

  const std::size_t block_bytes_max_;
  Bytes bytes_;
  std::size_t used_ = 0;
  std::size_t tried_ = 0;  // Unread bytes at the last try that found too few.
  // The block being read.
  bool begun_ = false;
  std::uint64_t columns_left_ = 0;
  std::uint64_t rows_ = 0;
  std::size_t block_bytes_ = 0;
  block::Block block_;
};

}  // namespace spanway::clickhouse
