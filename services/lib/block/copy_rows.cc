#include "services/lib/block/copy_rows.h"

#include "services/lib/block/dictionary_column.h"

namespace spanway::block {

void append_row(const Column& from, std::size_t row, Column& to) {
  switch (from.type().kind) {
    case Kind::kString:
      return static_cast<StringColumn&>(to).append(static_cast<const StringColumn&>(from).at(row));
    case Kind::kLowCardinality: {
      const auto text = static_cast<const DictionaryColumn&>(from).at(row);
      auto& dictionary = static_cast<DictionaryColumn&>(to);
      return text ? dictionary.append(*text) : dictionary.append_null();
    }
    case Kind::kNullable: {
      const auto& nullable = static_cast<const NullableColumn&>(from);
      if (nullable.is_null(row)) return to.append_default();
      return append_row(nullable.nested(), row, static_cast<NullableColumn&>(to).append_value());
    }
    case Kind::kArray:
    case Kind::kMap: {
      const auto& list = static_cast<const ListColumn&>(from);
      auto& result = static_cast<ListColumn&>(to);
      for (std::size_t i = list.begin_of(row); i < list.end_of(row); ++i)
        for (std::size_t n = 0; n < list.nested_count(); ++n)
          append_row(list.nested(n), i, result.nested(n));
      return result.close_row();
    }
    default:
      return static_cast<FixedColumn&>(to).append_raw(
          static_cast<const FixedColumn&>(from).text_at(row));
  }
}

void append_row(const Block& from, std::size_t row, Block& to) {
  for (std::size_t i = 0; i < from.columns(); ++i) append_row(from.column(i), row, to.column(i));
}

Block empty_like(const Block& block) {
  Block result;
  for (std::size_t i = 0; i < block.columns(); ++i)
    result.add(block.name(i), make_column(block.column(i).type()));
  return result;
}

}  // namespace spanway::block
