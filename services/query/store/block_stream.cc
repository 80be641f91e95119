#include "services/query/store/block_stream.h"

#include <utility>

namespace spanway::query {
namespace {

class Blocks final : public BlockStream {
 public:
  explicit Blocks(std::vector<block::Block> blocks) : blocks_(std::move(blocks)) {}
  Result<std::optional<block::Block>> next() override {
    while (next_ < blocks_.size()) {
      block::Block rows = std::exchange(blocks_[next_++], block::Block());
      if (rows.rows() > 0) return std::optional<block::Block>(std::move(rows));
    }
    return std::optional<block::Block>();
  }

 private:
  std::vector<block::Block> blocks_;
  std::size_t next_ = 0;
};

}  // namespace

BlockStreamPtr one_block(block::Block rows) {
  std::vector<block::Block> blocks;
  blocks.push_back(std::move(rows));
  return block_stream(std::move(blocks));
}

BlockStreamPtr block_stream(std::vector<block::Block> blocks) {
  return std::make_unique<Blocks>(std::move(blocks));
}

}  // namespace spanway::query
