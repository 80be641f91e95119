#include "services/lib/parquet_file/arrow/arrow_gather.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/type.h>

#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/parquet_file/arrow/arrow_errors.h"
#include "services/lib/parquet_file/arrow/arrow_schema.h"

namespace spanway::parquet_file {
namespace {

using block::Kind;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using BufferPtr = std::shared_ptr<arrow::Buffer>;

constexpr std::string_view kWhat = "Converting rows for a Parquet file";
constexpr std::size_t kOffsetMax = std::numeric_limits<std::int32_t>::max();

Result<BufferPtr> allocate(std::size_t bytes, arrow::MemoryPool& pool) {
  SPANWAY_ARROW_ASSIGN(std::unique_ptr<arrow::Buffer> buffer, kWhat,
                       arrow::AllocateBuffer(static_cast<std::int64_t>(bytes), &pool));
  return BufferPtr(std::move(buffer));
}

template <typename T>
std::span<T> values_of(const BufferPtr& buffer) {
  return {reinterpret_cast<T*>(buffer->mutable_data()),
          static_cast<std::size_t>(buffer->size()) / sizeof(T)};
}

template <typename IsSet>
Result<BufferPtr> bitmap(std::size_t count, arrow::MemoryPool& pool, IsSet&& is_set) {
  SPANWAY_ASSIGN(BufferPtr buffer, allocate((count + 7) / 8, pool));
  const auto bytes = values_of<std::uint8_t>(buffer);
  std::fill(bytes.begin(), bytes.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < count; ++i)
    if (is_set(i)) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | 1u << i % 8);
  return buffer;
}

ArrayPtr make_array(std::shared_ptr<arrow::DataType> type, std::size_t count,
                    std::vector<BufferPtr> buffers,
                    std::vector<std::shared_ptr<arrow::ArrayData>> children = {}) {
  return arrow::MakeArray(arrow::ArrayData::Make(std::move(type), static_cast<std::int64_t>(count),
                                                 std::move(buffers), std::move(children)));
}

// Values of the column's own width.
Result<ArrayPtr> gather_values(const block::FixedColumn& column, Rows rows,
                               arrow::MemoryPool& pool) {
  const std::size_t width = column.width();
  SPANWAY_ASSIGN(BufferPtr buffer, allocate(rows.size() * width, pool));
  std::uint8_t* out = buffer->mutable_data();
  const char* const in = column.bytes().data();
  for (const std::uint32_t row : rows) {
    std::memcpy(out, in + row * width, width);
    out += width;
  }
  return make_array(arrow_type(column.type()), rows.size(), {nullptr, std::move(buffer)});
}

// Values that Arrow holds in a wider type.
template <typename From, typename To>
Result<ArrayPtr> gather_widened(const block::FixedColumn& column, Rows rows,
                                arrow::MemoryPool& pool) {
  SPANWAY_ASSIGN(BufferPtr buffer, allocate(rows.size() * sizeof(To), pool));
  const auto out = values_of<To>(buffer);
  const auto in = column.values<From>();
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = To{in[rows[i]]};
  return make_array(arrow_type(column.type()), rows.size(), {nullptr, std::move(buffer)});
}

Result<ArrayPtr> gather_bools(const block::FixedColumn& column, Rows rows,
                              arrow::MemoryPool& pool) {
  const auto in = column.values<std::uint8_t>();
  SPANWAY_ASSIGN(BufferPtr bits,
                 bitmap(rows.size(), pool, [&](std::size_t i) { return in[rows[i]] != 0; }));
  return make_array(arrow::boolean(), rows.size(), {nullptr, std::move(bits)});
}

template <typename TextAt>
Result<ArrayPtr> make_texts(std::size_t count, arrow::MemoryPool& pool, TextAt&& text_at) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) bytes += text_at(i).size();
  if (bytes > kOffsetMax)
    return unknown_error(Code::kResourceExhausted,
                         "The texts of one column pass 2 GiB; send the rows in parts")
        .with_reason("too_many_bytes");
  SPANWAY_ASSIGN(BufferPtr offsets, allocate((count + 1) * sizeof(std::int32_t), pool));
  SPANWAY_ASSIGN(BufferPtr chars, allocate(bytes, pool));
  const auto ends = values_of<std::int32_t>(offsets);
  std::size_t end = 0;
  ends[0] = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view text = text_at(i);
    if (!text.empty()) std::memcpy(chars->mutable_data() + end, text.data(), text.size());
    end += text.size();
    ends[i + 1] = static_cast<std::int32_t>(end);
  }
  return make_array(arrow::utf8(), count, {nullptr, std::move(offsets), std::move(chars)});
}

ArrayPtr make_dictionary(const block::Type& type, std::size_t count, BufferPtr valid,
                         BufferPtr indexes, const ArrayPtr& texts) {
  auto data = arrow::ArrayData::Make(arrow_type(type), static_cast<std::int64_t>(count),
                                     {std::move(valid), std::move(indexes)});
  data->dictionary = texts->data();
  return arrow::MakeArray(std::move(data));
}

Result<ArrayPtr> gather_enumeration(const block::FixedColumn& column, Rows rows,
                                    arrow::MemoryPool& pool) {
  const auto& names = column.type().values;
  std::int8_t index_of[256] = {};
  for (std::size_t i = 0; i < names.size(); ++i)
    index_of[static_cast<std::uint8_t>(names[i].value)] = static_cast<std::int8_t>(i);
  SPANWAY_ASSIGN(ArrayPtr texts, make_texts(names.size(), pool, [&](std::size_t i) {
                   return std::string_view(names[i].name);
                 }));
  SPANWAY_ASSIGN(BufferPtr indexes, allocate(rows.size(), pool));
  const auto in = column.values<std::uint8_t>();
  const auto out = values_of<std::int8_t>(indexes);
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = index_of[in[rows[i]]];
  return make_dictionary(column.type(), rows.size(), nullptr, std::move(indexes), texts);
}

// Only the texts that these rows hold, in the order of their first appearance among them: the file
// does not depend on what else the block holds.
Result<ArrayPtr> gather_dictionary(const block::DictionaryColumn& column, Rows rows,
                                   arrow::MemoryPool& pool) {
  constexpr std::uint32_t kUnseen = ~std::uint32_t{0};
  const auto in = column.indexes();
  std::vector<std::uint32_t> place(column.dictionary().rows(), kUnseen), used;
  SPANWAY_ASSIGN(BufferPtr indexes, allocate(rows.size() * sizeof(std::int32_t), pool));
  const auto out = values_of<std::int32_t>(indexes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint32_t index = in[rows[i]];
    if (column.nullable() && index == 0) {
      out[i] = 0;
      continue;
    }
    if (place[index] == kUnseen) {
      place[index] = static_cast<std::uint32_t>(used.size());
      used.push_back(index);
    }
    out[i] = static_cast<std::int32_t>(place[index]);
  }
  SPANWAY_ASSIGN(ArrayPtr texts, make_texts(used.size(), pool, [&](std::size_t i) {
                   return column.dictionary().at(used[i]);
                 }));
  BufferPtr valid;
  if (column.nullable()) {
    SPANWAY_ASSIGN(valid,
                   bitmap(rows.size(), pool, [&](std::size_t i) { return in[rows[i]] != 0; }));
  }
  return make_dictionary(column.type(), rows.size(), std::move(valid), std::move(indexes), texts);
}

Result<ArrayPtr> gather_nullable(const block::NullableColumn& column, Rows rows,
                                 arrow::MemoryPool& pool) {
  SPANWAY_ASSIGN(ArrayPtr values, gather(column.nested(), rows, pool));
  SPANWAY_ASSIGN(BufferPtr valid, bitmap(rows.size(), pool,
                                         [&](std::size_t i) { return !column.is_null(rows[i]); }));
  auto data = values->data()->Copy();
  data->buffers[0] = std::move(valid);
  data->null_count = arrow::kUnknownNullCount;
  return arrow::MakeArray(std::move(data));
}

struct Elements {
  BufferPtr offsets;
  std::vector<std::uint32_t> rows;  // Rows of the nested columns.
};

Result<Elements> elements_of(const block::ListColumn& column, Rows rows, arrow::MemoryPool& pool) {
  Elements elements;
  SPANWAY_ASSIGN(elements.offsets, allocate((rows.size() + 1) * sizeof(std::int32_t), pool));
  const auto ends = values_of<std::int32_t>(elements.offsets);
  ends[0] = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t at = column.begin_of(rows[i]); at < column.end_of(rows[i]); ++at)
      elements.rows.push_back(static_cast<std::uint32_t>(at));
    ends[i + 1] = static_cast<std::int32_t>(elements.rows.size());
  }
  return elements;
}

Result<ArrayPtr> gather_list(const block::ListColumn& column, Rows rows, arrow::MemoryPool& pool) {
  SPANWAY_ASSIGN(Elements elements, elements_of(column, rows, pool));
  std::vector<std::shared_ptr<arrow::ArrayData>> nested;
  for (std::size_t i = 0; i < column.nested_count(); ++i) {
    SPANWAY_ASSIGN(ArrayPtr values, gather(column.nested(i), elements.rows, pool));
    nested.push_back(values->data());
  }
  auto type = arrow_type(column.type());
  std::shared_ptr<arrow::ArrayData> child = nested.front();
  if (column.type().kind == Kind::kMap)  // A list of structs of key and value.
    child = arrow::ArrayData::Make(type->field(0)->type(),
                                   static_cast<std::int64_t>(elements.rows.size()), {nullptr},
                                   std::move(nested));
  return make_array(std::move(type), rows.size(), {nullptr, std::move(elements.offsets)},
                    {std::move(child)});
}

}  // namespace

Result<ArrayPtr> gather(const block::Column& column, Rows rows, arrow::MemoryPool& pool) {
  switch (column.type().kind) {
    case Kind::kString: {
      const auto& texts = static_cast<const block::StringColumn&>(column);
      return make_texts(rows.size(), pool, [&](std::size_t i) { return texts.at(rows[i]); });
    }
    case Kind::kLowCardinality:
      return gather_dictionary(static_cast<const block::DictionaryColumn&>(column), rows, pool);
    case Kind::kNullable:
      return gather_nullable(static_cast<const block::NullableColumn&>(column), rows, pool);
    case Kind::kArray:
    case Kind::kMap:
      return gather_list(static_cast<const block::ListColumn&>(column), rows, pool);
    default:
      break;
  }
  const auto& fixed = static_cast<const block::FixedColumn&>(column);
  switch (column.type().kind) {
    case Kind::kBool:
      return gather_bools(fixed, rows, pool);
    case Kind::kEnum8:
      return gather_enumeration(fixed, rows, pool);
    case Kind::kDate:
      return gather_widened<std::uint16_t, std::int32_t>(fixed, rows, pool);
    case Kind::kDateTime:
      return gather_widened<std::uint32_t, std::int64_t>(fixed, rows, pool);
    default:
      return gather_values(fixed, rows, pool);
  }
}

Result<ArrayPtr> gather_structs(std::span<const block::ListColumn* const> columns, Rows rows,
                                const std::shared_ptr<arrow::DataType>& list,
                                arrow::MemoryPool& pool) {
  SPANWAY_ASSIGN(Elements elements, elements_of(*columns.front(), rows, pool));
  std::vector<std::shared_ptr<arrow::ArrayData>> members;
  for (const block::ListColumn* column : columns) {
    SPANWAY_ASSIGN(ArrayPtr values, gather(column->nested(), elements.rows, pool));
    members.push_back(values->data());
  }
  auto structs = arrow::ArrayData::Make(list->field(0)->type(),
                                        static_cast<std::int64_t>(elements.rows.size()), {nullptr},
                                        std::move(members));
  return make_array(list, rows.size(), {nullptr, std::move(elements.offsets)},
                    {std::move(structs)});
}

}  // namespace spanway::parquet_file
