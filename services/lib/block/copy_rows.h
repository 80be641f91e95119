// Copies rows from one block to another.
#pragma once

#include <cstddef>

#include "services/lib/block/block.h"

namespace spanway::block {

// Appends row `row` of `from` to `to`, a column of the same type. Stateless.
void append_row(const Column& from, std::size_t row, Column& to);

// The same for all columns; `to` has the columns of `from`, in their order.
void append_row(const Block& from, std::size_t row, Block& to);

// A block without rows that has the columns of `block`.
Block empty_like(const Block& block);

}  // namespace spanway::block
