// Rows of a store, block by block.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::query {

// Pulled by one thread, which next() blocks; destroyed early, it ends the query at the store.
class BlockStream {
 public:
  virtual ~BlockStream() = default;
  // The next block with rows; nothing at the end. An error ends the stream: what came before it is
  // not the whole answer.
  virtual Result<std::optional<block::Block>> next() = 0;
};
using BlockStreamPtr = std::unique_ptr<BlockStream>;

// Rows that were collected before, as one block.
BlockStreamPtr one_block(block::Block rows);
// The same, as several blocks.
BlockStreamPtr block_stream(std::vector<block::Block> blocks);

}  // namespace spanway::query
