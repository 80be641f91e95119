#include "services/query/store/block_stream.h"

#include <utility>

namespace spanway::query {
namespace {

class OneBlock final : public BlockStream {
 public:
  explicit OneBlock(block::Block rows) : rows_(std::move(rows)) {}
  Result<std::optional<block::Block>> next() override {
    if (rows_.rows() == 0) return std::optional<block::Block>();
    return std::optional<block::Block>(std::exchange(rows_, block::Block()));
  }

 private:
  block::Block rows_;
};

}  // namespace

BlockStreamPtr one_block(block::Block rows) { return std::make_unique<OneBlock>(std::move(rows)); }

}  // namespace spanway::query
