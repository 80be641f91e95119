#include "services/lib/block/text_view.h"

#include "services/lib/block/dictionary_column.h"

namespace spanway::block {
namespace {

bool holds_text(const Type& type) noexcept {
  switch (type.kind) {
    case Kind::kString:
    case Kind::kFixedString:
    case Kind::kLowCardinality:
      return true;
    case Kind::kNullable:
      return holds_text(type.inner.front());
    default:
      return false;
  }
}

std::optional<std::string_view> text_at(const Column& column, std::size_t row) {
  switch (column.type().kind) {
    case Kind::kString:
      return static_cast<const StringColumn&>(column).at(row);
    case Kind::kFixedString:
      return static_cast<const FixedColumn&>(column).text_at(row);
    case Kind::kLowCardinality:
      return static_cast<const DictionaryColumn&>(column).at(row);
    default: {
      const auto& nullable = static_cast<const NullableColumn&>(column);
      if (nullable.is_null(row)) return std::nullopt;
      return text_at(nullable.nested(), row);
    }
  }
}

}  // namespace

std::optional<TextView> TextView::of(const Column& column) noexcept {
  if (!holds_text(column.type())) return std::nullopt;
  return TextView(column);
}

std::optional<std::string_view> TextView::at(std::size_t row) const {
  return text_at(*column_, row);
}

}  // namespace spanway::block
