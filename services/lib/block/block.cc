#include "services/lib/block/block.h"

#include <utility>

namespace spanway::block {
namespace {

// True when nested columns have as many rows as their parent says.
bool is_consistent(const Column& column) {
  if (column.type().kind == Kind::kNullable) {
    const auto& nullable = static_cast<const NullableColumn&>(column);
    return nullable.nested().rows() == nullable.rows();
  }
  if (column.type().kind != Kind::kArray && column.type().kind != Kind::kMap) return true;
  const auto& list = static_cast<const ListColumn&>(column);
  const std::size_t nested_rows = list.ends().empty() ? 0 : list.ends().back();
  for (std::size_t i = 0; i < list.nested_count(); ++i)
    if (list.nested(i).rows() != nested_rows || !is_consistent(list.nested(i))) return false;
  return true;
}

}  // namespace

Block::Block(std::span<const Field> fields) {
  columns_.reserve(fields.size());
  for (const Field& field : fields) add(field.name, make_column(field.type));
}

void Block::add(std::string name, ColumnPtr column) {
  columns_.push_back({std::move(name), std::move(column)});
}

const Column* Block::find(std::string_view name) const noexcept {
  for (const Named& named : columns_)
    if (named.name == name) return named.column.get();
  return nullptr;
}

Column* Block::find(std::string_view name) noexcept {
  return const_cast<Column*>(std::as_const(*this).find(name));
}

std::size_t Block::memory_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Named& named : columns_) bytes += named.column->memory_bytes();
  return bytes;
}

Status Block::check() const {
  for (const Named& named : columns_)
    if (named.column->rows() != rows() || !is_consistent(*named.column))
      return unknown_error(Code::kInternal, "Column " + named.name + " has " +
                                                std::to_string(named.column->rows()) +
                                                " rows in a block of " + std::to_string(rows()))
          .with_reason("inconsistent_block");
  return {};
}

std::vector<ColumnPtr> Block::take_columns() && {
  std::vector<ColumnPtr> taken;
  for (Named& named : columns_) taken.push_back(std::move(named.column));
  columns_.clear();
  return taken;
}

void Block::clear() noexcept {
  for (const Named& named : columns_) named.column->clear();
}

}  // namespace spanway::block
