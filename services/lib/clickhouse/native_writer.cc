#include "services/lib/clickhouse/native_writer.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

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

constexpr std::size_t kVarintBytesMax = 10;
constexpr std::size_t kHeaderBytesMax = 64;  // Varints and fixed words around one column's data.

std::size_t strings_bytes_max(const StringColumn& column) noexcept {
  return column.text_bytes() + column.rows() * kVarintBytesMax;
}

std::size_t data_bytes_max(const Column& column) noexcept {
  switch (column.type().kind) {
    case Kind::kString:
      return strings_bytes_max(static_cast<const StringColumn&>(column));
    case Kind::kLowCardinality: {
      const auto& dictionary = static_cast<const DictionaryColumn&>(column);
      return kHeaderBytesMax + strings_bytes_max(dictionary.dictionary()) +
             dictionary.rows() * sizeof(std::uint32_t);
    }
    case Kind::kNullable: {
      const auto& nullable = static_cast<const NullableColumn&>(column);
      return nullable.rows() + data_bytes_max(nullable.nested());
    }
    case Kind::kArray:
    case Kind::kMap: {
      const auto& list = static_cast<const ListColumn&>(column);
      std::size_t bytes = list.rows() * sizeof(std::uint64_t);
      for (std::size_t i = 0; i < list.nested_count(); ++i) bytes += data_bytes_max(list.nested(i));
      return bytes;
    }
    default:
      return static_cast<const FixedColumn&>(column).bytes().size();
  }
}

// Writes into memory that native_bytes_max() has made room for.
class Output {
 public:
  explicit Output(char* begin) noexcept : next_(begin) {}
  const char* end() const noexcept { return next_; }

  void varint(std::uint64_t value) noexcept {
    while (value >= 0x80) {
      *next_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *next_++ = static_cast<char>(value);
  }
  void word(std::uint64_t value) noexcept { raw(&value, sizeof(value)); }
  void raw(const void* data, std::size_t size) noexcept {
    if (size > 0) std::memcpy(next_, data, size);
    next_ += size;
  }
  void text(std::string_view value) noexcept {
    varint(value.size());
    raw(value.data(), value.size());
  }
  template <typename Index>
  void narrowed(std::span<const std::uint32_t> indexes) noexcept {
    for (const std::uint32_t index : indexes) {
      const auto narrow = static_cast<Index>(index);
      raw(&narrow, sizeof(narrow));
    }
  }

 private:
  char* next_;
};

// Comes once per block, before the data: the version of each dictionary.
void write_prefix(const Column& column, Output& out) {
  if (column.type().kind == Kind::kLowCardinality) out.word(native::kDictionaryVersion);
  if (column.type().kind != Kind::kArray && column.type().kind != Kind::kMap) return;
  const auto& list = static_cast<const ListColumn&>(column);
  for (std::size_t i = 0; i < list.nested_count(); ++i) write_prefix(list.nested(i), out);
}

void write_strings(const StringColumn& column, Output& out) {
  for (std::size_t row = 0; row < column.rows(); ++row) out.text(column.at(row));
}

void write_dictionary(const DictionaryColumn& column, Output& out) {
  const std::size_t keys = column.dictionary().rows();
  const std::uint64_t width = keys <= 1u << 8 ? 0 : keys <= 1u << 16 ? 1 : 2;
  out.word(width | native::kHasAdditionalKeys | native::kNeedsUpdate);
  out.word(keys);
  write_strings(column.dictionary(), out);
  out.word(column.rows());
  if (width == 0) {
    out.narrowed<std::uint8_t>(column.indexes());
  } else if (width == 1) {
    out.narrowed<std::uint16_t>(column.indexes());
  } else {
    out.narrowed<std::uint32_t>(column.indexes());
  }
}

void write_data(const Column& column, Output& out) {
  if (column.rows() == 0) return;
  switch (column.type().kind) {
    case Kind::kString:
      return write_strings(static_cast<const StringColumn&>(column), out);
    case Kind::kLowCardinality:
      return write_dictionary(static_cast<const DictionaryColumn&>(column), out);
    case Kind::kNullable: {
      const auto& nullable = static_cast<const NullableColumn&>(column);
      out.raw(nullable.null_marks().data(), nullable.rows());
      return write_data(nullable.nested(), out);
    }
    case Kind::kArray:
    case Kind::kMap: {
      const auto& list = static_cast<const ListColumn&>(column);
      out.raw(list.ends().data(), list.ends().size_bytes());
      for (std::size_t i = 0; i < list.nested_count(); ++i) write_data(list.nested(i), out);
      return;
    }
    default: {
      const std::string_view bytes = static_cast<const FixedColumn&>(column).bytes();
      return out.raw(bytes.data(), bytes.size());
    }
  }
}

// Prefixes of all dictionaries inside the column.
std::size_t prefix_bytes(const Column& column) noexcept {
  if (column.type().kind != Kind::kArray && column.type().kind != Kind::kMap)
    return sizeof(std::uint64_t);
  const auto& list = static_cast<const ListColumn&>(column);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < list.nested_count(); ++i) bytes += prefix_bytes(list.nested(i));
  return bytes;
}

}  // namespace

std::size_t native_bytes_max(const block::Block& block) noexcept {
  std::size_t bytes = kHeaderBytesMax;
  for (std::size_t i = 0; i < block.columns(); ++i)
    bytes += kHeaderBytesMax + block.name(i).size() +
             block::to_string(block.column(i).type()).size() + prefix_bytes(block.column(i)) +
             data_bytes_max(block.column(i));
  return bytes;
}

void append_native(const block::Block& block, Bytes& out) {
  const std::size_t begin = out.size();
  out.resize(begin + native_bytes_max(block));
  Output output(out.data() + begin);
  output.varint(block.columns());
  output.varint(block.rows());
  for (std::size_t i = 0; i < block.columns(); ++i) {
    const Column& column = block.column(i);
    output.text(block.name(i));
    output.text(block::to_string(column.type()));
    if (block.rows() == 0) continue;
    write_prefix(column, output);
    write_data(column, output);
  }
  out.resize(static_cast<std::size_t>(output.end() - out.data()));
}

}  // namespace spanway::clickhouse
