// Rows by columns: the result of the writer, the content of an INSERT, the answer to a SELECT.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/result.h"
#include "services/lib/block/column.h"
#include "services/lib/block/type.h"

namespace spanway::block {

struct Field {
  std::string name;
  Type type;
  bool operator==(const Field&) const = default;
};

// Move-only; thread contract: external lock. Columns keep their address when the block is moved.
class Block {
 public:
  Block() = default;
  Block(Block&&) noexcept = default;
  Block& operator=(Block&&) noexcept = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  // Empty columns of these fields.
  explicit Block(std::span<const Field> fields);

  void add(std::string name, ColumnPtr column);
  std::size_t columns() const noexcept { return columns_.size(); }
  const std::string& name(std::size_t index) const { return columns_[index].name; }
  Column& column(std::size_t index) { return *columns_[index].column; }
  const Column& column(std::size_t index) const { return *columns_[index].column; }
  // Gives a column away; the block must not be read any more, but for taking the others.
  ColumnPtr take(std::size_t index) { return std::move(columns_[index].column); }
  // Null when there is no column of that name.
  const Column* find(std::string_view name) const noexcept;
  Column* find(std::string_view name) noexcept;
  // For columns that the caller has declared itself: a missing name or another class is a bug.
  template <typename ColumnType>
  ColumnType& get(std::string_view name) {
    auto* column = dynamic_cast<ColumnType*>(find(name));
    SPANWAY_CHECK(column != nullptr);
    return *column;
  }

  // Rows of the first column; 0 without columns.
  std::size_t rows() const noexcept {
    return columns_.empty() ? 0 : columns_.front().column->rows();
  }
  std::size_t memory_bytes() const noexcept;
  // INTERNAL when columns differ in their number of rows, at any depth.
  Status check() const;
  // The columns alone, in their order, so that each can be freed by itself.
  std::vector<ColumnPtr> take_columns() &&;
  void clear() noexcept;

 private:
  struct Named {
    std::string name;
    ColumnPtr column;
  };
  std::vector<Named> columns_;
};

}  // namespace spanway::block
