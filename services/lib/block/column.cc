#include "services/lib/block/column.h"

#include <algorithm>

#include "services/lib/block/dictionary_column.h"

namespace spanway::block {

ColumnPtr make_column(const Type& type) {
  switch (type.kind) {
    case Kind::kString:
      return std::make_unique<StringColumn>(type);
    case Kind::kNullable:
      return std::make_unique<NullableColumn>(type);
    case Kind::kLowCardinality:
      return std::make_unique<DictionaryColumn>(type);
    case Kind::kArray:
    case Kind::kMap:
      return std::make_unique<ListColumn>(type);
    default:
      return std::make_unique<FixedColumn>(type);
  }
}

void FixedColumn::append_text(std::string_view text) {
  const std::size_t end = data_.size();
  const std::size_t taken = std::min(text.size(), width_);
  data_.resize(end + width_);
  if (taken > 0) std::memcpy(data_.data() + end, text.data(), taken);
  std::memset(data_.data() + end + taken, 0, width_ - taken);
}

void FixedColumn::append_default() { append_text({}); }

NullableColumn::NullableColumn(Type type)
    : Column(std::move(type)), nested_(make_column(this->type().inner.front())) {}

void NullableColumn::append_null() {
  nulls_.push_back(1);
  nested_->append_default();
}

ListColumn::ListColumn(Type type) : Column(std::move(type)) {
  for (const Type& inner : this->type().inner) nested_.push_back(make_column(inner));
}

std::size_t ListColumn::memory_bytes() const noexcept {
  std::size_t bytes = ends_.capacity() * sizeof(std::uint64_t);
  for (const ColumnPtr& column : nested_) bytes += column->memory_bytes();
  return bytes;
}

void ListColumn::clear() noexcept {
  ends_.clear();
  for (const ColumnPtr& column : nested_) column->clear();
}

}  // namespace spanway::block
