#include "services/lib/clickhouse/native_column_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/block/column.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/clickhouse/native_layout.h"

namespace spanway::clickhouse {
namespace {

using block::Column;
using block::DictionaryColumn;
using block::FixedColumn;
using block::Kind;
using block::ListColumn;
using block::NullableColumn;
using block::StringColumn;

constexpr std::uint64_t kColumnsMax = 4096;

Error malformed(std::string_view what) {
  return invalid_argument("The server's answer is not a Native block: " + std::string(what))
      .with_reason("malformed_block");
}
// Known by its code, for an answer that is still arriving.
Error ends_early() {
  Error error = malformed("it ends too early");
  error.code = Code::kOutOfRange;
  return error;
}
Status read_prefix(NativeInput& in, const block::Type& type) {
  if (type.kind == Kind::kLowCardinality) {
    std::uint64_t version = 0;
    if (!in.word(version)) return ends_early();
    if (version != native::kDictionaryVersion) return malformed("unknown version of a dictionary");
  }
  if (type.kind == Kind::kArray || type.kind == Kind::kMap)
    for (const block::Type& inner : type.inner) SPANWAY_TRY(read_prefix(in, inner));
  return {};
}

Status read_strings(NativeInput& in, StringColumn& column, std::uint64_t rows) {
  for (std::uint64_t row = 0; row < rows; ++row) {
    std::string_view text;
    if (!in.text(text)) return ends_early();
    column.append(text);
  }
  return {};
}

template <typename Index>
std::vector<std::uint32_t> widened(std::string_view bytes) {
  std::vector<std::uint32_t> indexes(bytes.size() / sizeof(Index));
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    Index index;
    std::memcpy(&index, bytes.data() + i * sizeof(Index), sizeof(Index));
    // An index that does not fit has no key either: the column refuses it.
    indexes[i] = static_cast<std::uint32_t>(std::min<std::uint64_t>(index, 0xffffffffu));
  }
  return indexes;
}

Status read_dictionary(NativeInput& in, DictionaryColumn& column, std::uint64_t rows) {
  std::uint64_t flags = 0, count = 0, indexed = 0;
  if (!in.word(flags) || !in.word(count)) return ends_early();
  const std::uint64_t width = flags & native::kIndexWidthMask;
  if (width > 3 || (flags & native::kNeedsGlobalDictionary) != 0 ||
      (flags & native::kHasAdditionalKeys) == 0)
    return malformed("a dictionary of a kind that HTTP answers do not have");
  std::vector<std::string_view> keys;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    if (!in.text(text)) return ends_early();
    keys.push_back(text);
  }
  std::string_view bytes;
  if (!in.word(indexed) || !in.take(indexed, 1u << width, bytes)) return ends_early();
  if (indexed != rows) return malformed("a dictionary with other rows than its block");
  switch (width) {
    case 0:
      return column.assign(keys, widened<std::uint8_t>(bytes));
    case 1:
      return column.assign(keys, widened<std::uint16_t>(bytes));
    case 2:
      return column.assign(keys, widened<std::uint32_t>(bytes));
    default:
      return column.assign(keys, widened<std::uint64_t>(bytes));
  }
}

Status read_data(NativeInput& in, Column& column, std::uint64_t rows);

Status read_list(NativeInput& in, ListColumn& column, std::uint64_t rows) {
  std::string_view bytes;
  if (!in.take(rows, sizeof(std::uint64_t), bytes)) return ends_early();
  auto& ends = column.ends();
  ends.resize(rows);
  std::memcpy(ends.data(), bytes.data(), bytes.size());
  for (std::size_t i = 1; i < ends.size(); ++i)
    if (ends[i] < ends[i - 1]) return malformed("an array that ends before it begins");
  for (std::size_t i = 0; i < column.nested_count(); ++i)
    SPANWAY_TRY(read_data(in, column.nested(i), ends.back()));
  return {};
}

Status read_nullable(NativeInput& in, NullableColumn& column, std::uint64_t rows) {
  std::string_view marks;
  if (!in.take(rows, 1, marks)) return ends_early();
  column.null_marks().assign(marks.begin(), marks.end());
  return read_data(in, column.nested(), rows);
}

Status read_data(NativeInput& in, Column& column, std::uint64_t rows) {
  if (rows == 0) return {};
  switch (column.type().kind) {
    case Kind::kString:
      return read_strings(in, static_cast<StringColumn&>(column), rows);
    case Kind::kLowCardinality:
      return read_dictionary(in, static_cast<DictionaryColumn&>(column), rows);
    case Kind::kNullable:
      return read_nullable(in, static_cast<NullableColumn&>(column), rows);
    case Kind::kArray:
    case Kind::kMap:
      return read_list(in, static_cast<ListColumn&>(column), rows);
    default: {
      auto& fixed = static_cast<FixedColumn&>(column);
      std::string_view values;
      if (!in.take(rows, fixed.width(), values)) return ends_early();
      fixed.append_raw(values);
      return {};
    }
  }
}

}  // namespace

bool is_ends_early(const Error& error) noexcept { return error.code == Code::kOutOfRange; }

Status read_dimensions(NativeInput& in, std::uint64_t& columns, std::uint64_t& rows) {
  if (!in.varint(columns) || !in.varint(rows)) return ends_early();
  if (columns > kColumnsMax) return malformed("it has more columns than a table can have");
  return {};
}

Status read_column(NativeInput& in, std::uint64_t rows, block::Block& block) {
  std::string_view name, type_name;
  if (!in.text(name) || !in.text(type_name)) return ends_early();
  auto type = block::parse_type(type_name);
  if (!type.ok()) return std::move(type).error().with_context("column " + std::string(name));
  block::ColumnPtr column = block::make_column(*type);
  if (rows > 0) {
    SPANWAY_TRY(read_prefix(in, *type));
    SPANWAY_TRY(read_data(in, *column, rows));
  }
  block.add(std::string(name), std::move(column));
  return {};
}

}  // namespace spanway::clickhouse
