// Texts of a column, however it keeps them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "services/lib/block/column.h"

namespace spanway::block {

// Reads String, FixedString, LowCardinality and the nullable forms of all three by one call. Valid
// as long as the column is; the texts until the column changes. Thread-safe for reading.
class TextView {
 public:
  // Nothing when the column does not hold texts.
  static std::optional<TextView> of(const Column& column) noexcept;
  // Nothing = NULL. FixedString with all its bytes.
  std::optional<std::string_view> at(std::size_t row) const;
  std::size_t rows() const noexcept { return column_->rows(); }

 private:
  explicit TextView(const Column& column) noexcept : column_(&column) {}
  const Column* column_;
};

}  // namespace spanway::block
