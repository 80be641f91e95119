// Reads what a SELECT answers in ClickHouse's Native format.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::clickhouse {

// One block after the other off a text that outlives the reader. The input is not trusted: no size
// in it is believed before so many bytes have come, so that a block takes at most nine times the
// memory of its bytes. Single-thread.
class NativeReader {
 public:
  explicit NativeReader(std::string_view bytes) noexcept : rest_(bytes) {}

  // Nothing at the end. INVALID_ARGUMENT, data, "malformed_block" for a text that ends within a
  // block or contradicts itself; UNIMPLEMENTED, "unsupported_type" for a column that blocks cannot
  // hold. No further call after an error.
  Result<std::optional<block::Block>> next();

 private:
  std::string_view rest_;
};

}  // namespace spanway::clickhouse
