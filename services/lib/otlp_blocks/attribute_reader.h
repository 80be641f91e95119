// Attributes off the columns that hold them: the five maps, and the promoted columns of spans.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/value_reader.h"

namespace spanway::otlp_blocks {

// Reads a block that outlives the reader; columns that it lacks hold nothing. The order of an
// item's attributes is not stored: promoted ones come first. Single-thread.
class AttributeReader {
 public:
  explicit AttributeReader(const block::Block& block);
  // Appends the attributes of a row. Texts belong to the block or to `values`. False when a stored
  // value cannot be read.
  bool read(std::size_t row, ValueReader& values, std::vector<otlp::AttributeView>& out) const;

 private:
  struct Promoted {
    std::string_view key;
    const block::Column* column;
  };
  std::vector<Promoted> promoted_;
  const block::ListColumn* maps_[5];
};

// The text of a column that holds texts; "" for NULL and without a column.
std::string_view text_at(const block::Column* column, std::size_t row);

}  // namespace spanway::otlp_blocks
