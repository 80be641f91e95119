#include "services/lib/parquet_file/arrow/row_order.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace spanway::parquet_file {
namespace {

using block::Kind;

bool is_signed(Kind kind) noexcept {
  return kind == Kind::kInt8 || kind == Kind::kInt16 || kind == Kind::kInt32 ||
         kind == Kind::kInt64 || kind == Kind::kDateTime64;
}

// Bytes that compare as the values do.
void append_key(const block::FixedColumn& column, std::size_t row, char* out) {
  const std::string_view value = column.text_at(row);
  if (column.type().kind == Kind::kFixedString) {
    std::memcpy(out, value.data(), value.size());
    return;
  }
  std::reverse_copy(value.begin(), value.end(), out);
  if (is_signed(column.type().kind)) *out = static_cast<char>(*out ^ '\x80');
}

}  // namespace

Result<std::vector<std::uint32_t>> row_order(const block::Block& rows,
                                             std::span<const std::string> columns) {
  std::vector<const block::FixedColumn*> keys;
  std::size_t width = 0;
  for (const std::string& name : columns) {
    const auto* column = dynamic_cast<const block::FixedColumn*>(rows.find(name));
    if (column == nullptr)
      return unknown_error(Code::kInternal, "Rows cannot be sorted by the column " + name);
    keys.push_back(column);
    width += column->width();
  }
  std::vector<char> text(rows.rows() * width);
  for (std::size_t row = 0, at = 0; row < rows.rows(); ++row)
    for (const block::FixedColumn* column : keys) {
      append_key(*column, row, text.data() + at);
      at += column->width();
    }
  std::vector<std::uint32_t> order(rows.rows());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int difference = std::memcmp(text.data() + a * width, text.data() + b * width, width);
    return difference != 0 ? difference < 0 : a < b;
  });
  return order;
}

}  // namespace spanway::parquet_file
