#include "services/lib/parquet_file/arrow/arrow_append.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <string>
#include <string_view>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/parquet_file/arrow/arrow_errors.h"

namespace spanway::parquet_file {
namespace {

using block::Kind;

Error wrong_type(const arrow::Array& array, const block::Column& out) {
  return arrow_error("Reading a Parquet file",
                     arrow::Status::Invalid("a column of type " + array.type()->ToString() +
                                            " cannot be read as " + to_string(out.type())));
}

bool is_text(const arrow::Array& array) {
  return array.type_id() == arrow::Type::STRING || array.type_id() == arrow::Type::BINARY;
}

std::string_view text_at(const arrow::Array& array, std::int64_t at) {
  return static_cast<const arrow::BinaryArray&>(array).GetView(at);  // StringArray is one, too.
}

Status append_texts(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                    block::Column& out) {
  if (!is_text(array)) return wrong_type(array, out);
  auto* const dictionary = dynamic_cast<block::DictionaryColumn*>(&out);
  auto* const strings = dynamic_cast<block::StringColumn*>(&out);
  for (std::int64_t i = begin; i < begin + count; ++i) {
    if (array.IsNull(i)) {
      out.append_default();
    } else if (dictionary != nullptr) {
      dictionary->append(text_at(array, i));
    } else {
      strings->append(text_at(array, i));
    }
  }
  return {};
}

Status append_enumeration(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                          block::FixedColumn& out) {
  if (!is_text(array)) return wrong_type(array, out);
  for (std::int64_t i = begin; i < begin + count; ++i) {
    std::int8_t value = 0;
    const std::string_view text = array.IsNull(i) ? std::string_view() : text_at(array, i);
    for (const block::EnumValue& known : out.type().values)
      if (known.name == text) value = known.value;
    out.append(value);
  }
  return {};
}

template <typename From, typename To>
void append_narrowed(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                     std::int64_t divisor, block::FixedColumn& out) {
  const auto* values = array.data()->GetValues<From>(1);
  for (std::int64_t i = begin; i < begin + count; ++i)
    out.append(array.IsNull(i) ? To{0} : static_cast<To>(values[i] / divisor));
}

Status append_values(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                     block::FixedColumn& out) {
  const arrow::Type::type type = array.type_id();
  switch (out.type().kind) {
    case Kind::kBool:
      if (type != arrow::Type::BOOL) return wrong_type(array, out);
      for (std::int64_t i = begin; i < begin + count; ++i)
        out.append(static_cast<std::uint8_t>(
            array.IsValid(i) && static_cast<const arrow::BooleanArray&>(array).Value(i) ? 1 : 0));
      return {};
    case Kind::kDate:
      if (type != arrow::Type::DATE32) return wrong_type(array, out);
      append_narrowed<std::int32_t, std::uint16_t>(array, begin, count, 1, out);
      return {};
    case Kind::kDateTime: {
      // Parquet has no seconds: they are stored as milliseconds.
      const bool fits =
          type == arrow::Type::TIMESTAMP &&
          static_cast<const arrow::TimestampType&>(*array.type()).unit() == arrow::TimeUnit::MILLI;
      if (!fits) return wrong_type(array, out);
      append_narrowed<std::int64_t, std::uint32_t>(array, begin, count, 1000, out);
      return {};
    }
    default:
      break;
  }
  const auto* fixed = dynamic_cast<const arrow::FixedWidthType*>(array.type().get());
  if (fixed == nullptr || fixed->bit_width() != static_cast<int>(out.width() * 8))
    return wrong_type(array, out);
  const auto width = static_cast<std::int64_t>(out.width());
  const auto* bytes = reinterpret_cast<const char*>(array.data()->buffers[1]->data());
  const char* first = bytes + (array.offset() + begin) * width;
  if (array.null_count() == 0) {
    out.append_raw({first, static_cast<std::size_t>(count * width)});
    return {};
  }
  for (std::int64_t i = 0; i < count; ++i)
    if (array.IsNull(begin + i)) {
      out.append_default();
    } else {
      out.append_raw({first + i * width, out.width()});
    }
  return {};
}

Status append_nullable(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                       block::NullableColumn& out) {
  for (std::int64_t i = begin; i < begin + count; ++i)
    out.null_marks().push_back(array.IsNull(i) ? 1 : 0);
  return append_array(array, begin, count, out.nested());
}

Status append_list(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                   block::ListColumn& out) {
  const bool is_map = out.type().kind == Kind::kMap;
  if (array.type_id() != (is_map ? arrow::Type::MAP : arrow::Type::LIST))
    return wrong_type(array, out);
  const auto& list = static_cast<const arrow::ListArray&>(array);  // MapArray is one, too.
  for (std::int64_t i = begin; i < begin + count; ++i) {
    const std::int64_t first = list.value_offset(i), length = list.value_length(i);
    if (array.IsValid(i) && is_map) {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      SPANWAY_TRY(append_array(*map.keys(), first, length, out.nested(0)));
      SPANWAY_TRY(append_array(*map.items(), first, length, out.nested(1)));
    } else if (array.IsValid(i)) {
      SPANWAY_TRY(append_array(*list.values(), first, length, out.nested()));
    }
    out.close_row();
  }
  return {};
}

}  // namespace

Status append_array(const arrow::Array& array, std::int64_t begin, std::int64_t count,
                    block::Column& out) {
  switch (out.type().kind) {
    case Kind::kString:
    case Kind::kLowCardinality:
      return append_texts(array, begin, count, out);
    case Kind::kNullable:
      return append_nullable(array, begin, count, static_cast<block::NullableColumn&>(out));
    case Kind::kArray:
    case Kind::kMap:
      return append_list(array, begin, count, static_cast<block::ListColumn&>(out));
    case Kind::kEnum8:
      return append_enumeration(array, begin, count, static_cast<block::FixedColumn&>(out));
    default:
      return append_values(array, begin, count, static_cast<block::FixedColumn&>(out));
  }
}

Status append_member(const arrow::Array& array, int member, block::ListColumn& out) {
  if (array.type_id() != arrow::Type::LIST) return wrong_type(array, out);
  const auto& list = static_cast<const arrow::ListArray&>(array);
  if (list.values()->type_id() != arrow::Type::STRUCT) return wrong_type(array, out);
  const auto values = static_cast<const arrow::StructArray&>(*list.values()).field(member);
  for (std::int64_t i = 0; i < array.length(); ++i) {
    if (array.IsValid(i))
      SPANWAY_TRY(append_array(*values, list.value_offset(i), list.value_length(i), out.nested()));
    out.close_row();
  }
  return {};
}

}  // namespace spanway::parquet_file
