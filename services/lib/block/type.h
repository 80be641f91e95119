// The types of columns, by the names that ClickHouse gives them: the only type language of schemas,
// blocks and the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::block {

enum class Kind : unsigned char {
  kBool,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kUInt128,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kDate,        // uint16_t, days since 1970-01-01.
  kDateTime,    // uint32_t, seconds since 1970-01-01 UTC.
  kDateTime64,  // int64_t, ticks of 10^-scale seconds.
  kEnum8,       // int8_t
  kFixedString,
  kString,
  kNullable,
  kLowCardinality,  // Holds String or Nullable(String).
  kArray,
  kMap,
};

struct EnumValue {
  std::string name;
  std::int8_t value = 0;
  bool operator==(const EnumValue&) const = default;
};

// Immutable once parsed.
struct Type {
  Kind kind = Kind::kString;
  std::uint32_t width = 0;        // kFixedString: bytes.
  std::uint8_t scale = 0;         // kDateTime64: digits behind the second.
  std::vector<EnumValue> values;  // kEnum8, in the order of the declaration.
  std::vector<Type> inner;  // One of Nullable, LowCardinality and Array; key and value of Map.

  bool operator==(const Type&) const = default;
};

// "LowCardinality(Nullable(String))" and the like, with any white space between the words.
// SimpleAggregateFunction(f, T) is T: its values are stored the same. Anything that no column of
// this library holds: UNIMPLEMENTED, configuration, reason "unsupported_type".
Result<Type> parse_type(std::string_view text);

// As ClickHouse prints it: "Enum8('a' = 0, 'b' = 1)".
std::string to_string(const Type& type);

// Bytes of one value in memory and on the wire; 0 for kinds that have no fixed size.
std::size_t value_bytes(const Type& type) noexcept;

}  // namespace spanway::block
