#include "services/lib/parquet_file/arrow/arrow_schema.h"

#include <arrow/type.h>

#include <algorithm>
#include <utility>

namespace spanway::parquet_file {
namespace {

using block::Kind;

constexpr int kUInt128Bytes = 16;

std::shared_ptr<arrow::Field> member(std::string name, const block::Type& type) {
  return arrow::field(std::move(name), arrow_type(type),
                      type.kind == Kind::kNullable || (type.kind == Kind::kLowCardinality &&
                                                       type.inner.front().kind == Kind::kNullable));
}

std::shared_ptr<arrow::DataType> timestamp(unsigned scale) {
  switch (scale) {
    case 0:
      return arrow::timestamp(arrow::TimeUnit::SECOND, "UTC");
    case 3:
      return arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");
    case 6:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case 9:
      return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    default:
      return arrow::int64();
  }
}

std::shared_ptr<arrow::DataType> number_type(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return arrow::boolean();
    case Kind::kUInt8:
      return arrow::uint8();
    case Kind::kUInt16:
      return arrow::uint16();
    case Kind::kUInt32:
      return arrow::uint32();
    case Kind::kInt8:
      return arrow::int8();
    case Kind::kInt16:
      return arrow::int16();
    case Kind::kInt32:
      return arrow::int32();
    case Kind::kInt64:
      return arrow::int64();
    case Kind::kFloat32:
      return arrow::float32();
    case Kind::kFloat64:
      return arrow::float64();
    default:
      return arrow::uint64();
  }
}

}  // namespace

std::vector<StoredField> stored_fields(std::span<const block::Field> fields) {
  std::vector<StoredField> stored;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& name = fields[i].name;
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || fields[i].type.kind != Kind::kArray) {
      stored.push_back({.name = name, .columns = {i}, .members = {}});
      continue;
    }
    const std::string outer = name.substr(0, dot);
    auto found = std::find_if(stored.begin(), stored.end(), [&](const StoredField& field) {
      return field.name == outer && !field.members.empty();
    });
    if (found == stored.end())
      found = stored.insert(stored.end(), {.name = outer, .columns = {}, .members = {}});
    found->columns.push_back(i);
    found->members.push_back(name.substr(dot + 1));
  }
  return stored;
}

std::shared_ptr<arrow::DataType> arrow_type(const block::Type& type) {
  switch (type.kind) {
    case Kind::kString:
      return arrow::utf8();
    case Kind::kEnum8:
      return arrow::dictionary(arrow::int8(), arrow::utf8());
    case Kind::kLowCardinality:
      return arrow::dictionary(arrow::int32(), arrow::utf8());
    case Kind::kFixedString:
      return arrow::fixed_size_binary(static_cast<std::int32_t>(type.width));
    case Kind::kUInt128:
      return arrow::fixed_size_binary(kUInt128Bytes);
    case Kind::kDate:
      return arrow::date32();
    case Kind::kDateTime:
      return timestamp(0);
    case Kind::kDateTime64:
      return timestamp(type.scale);
    case Kind::kNullable:
      return arrow_type(type.inner.front());
    case Kind::kArray:
      return arrow::list(member("element", type.inner.front()));
    case Kind::kMap:
      return std::make_shared<arrow::MapType>(member("key", type.inner[0]),
                                              member("value", type.inner[1]));
    default:
      return number_type(type.kind);
  }
}

std::shared_ptr<arrow::Field> arrow_field(const StoredField& stored,
                                          std::span<const block::Field> fields) {
  if (stored.members.empty()) return member(stored.name, fields[stored.columns.front()].type);
  arrow::FieldVector inside;
  for (std::size_t i = 0; i < stored.members.size(); ++i)
    inside.push_back(member(stored.members[i], fields[stored.columns[i]].type.inner.front()));
  return arrow::field(stored.name,
                      arrow::list(arrow::field("element", arrow::struct_(inside), false)), false);
}

}  // namespace spanway::parquet_file
