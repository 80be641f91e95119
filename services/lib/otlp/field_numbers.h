// Fields of protobuf messages as values, and the two recursive ones of OTLP: AnyValue and KeyValue.
// Inline, because they are on the hot path of each reader. Internal to otlp.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp::fields {

using wire::Type;

struct Field {
  std::uint32_t number = 0;
  Type type = Type::kVarint;
  std::uint64_t scalar = 0;  // kVarint, kFixed64, kFixed32.
  std::string_view bytes;    // kLength.
};

// One field off the front of `rest`, which is not empty. False on broken framing.
inline bool read_field(std::string_view& rest, Field& field) noexcept {
  wire::Field raw;
  const wire::Ptr next = wire::read_field(wire::begin_of(rest), wire::end_of(rest), raw);
  if (next == nullptr) return false;
  field.number = wire::field_of(raw.tag);
  field.type = wire::type_of(raw.tag);
  if (field.type == Type::kVarint) field.scalar = wire::varint_of(raw);
  if (field.type == Type::kFixed64) field.scalar = wire::load64(raw.begin);
  if (field.type == Type::kFixed32) field.scalar = wire::load32(raw.begin);
  if (field.type == Type::kLength) field.bytes = raw.bytes();
  rest = wire::view_of(next, wire::end_of(rest));
  return true;
}

// Calls on_field(field) -> bool for each field; false on broken framing or when on_field does so.
// A known number with a foreign wire type reaches on_field, whose accessors below ignore it, as
// protobuf parsers do with unknown fields.
template <typename OnField>
bool for_each_field(std::string_view message, OnField&& on_field) {
  Field field;
  while (!message.empty())
    if (!read_field(message, field) || !on_field(field)) return false;
  return true;
}

inline void set(std::string_view& target, const Field& field) noexcept {
  if (field.type == Type::kLength) target = field.bytes;
}
inline void set_fixed64(std::uint64_t& target, const Field& field) noexcept {
  if (field.type == Type::kFixed64) target = field.scalar;
}
inline void set_fixed32(std::uint32_t& target, const Field& field) noexcept {
  if (field.type == Type::kFixed32) target = static_cast<std::uint32_t>(field.scalar);
}
inline void set_uint32(std::uint32_t& target, const Field& field) noexcept {
  if (field.type == Type::kVarint) target = static_cast<std::uint32_t>(field.scalar);
}
template <typename E>
void set_enum(E& target, const Field& field) noexcept {
  if (field.type == Type::kVarint)
    target = static_cast<E>(static_cast<std::int32_t>(static_cast<std::uint32_t>(field.scalar)));
}

inline void set_value(ValueView& value, const Field& field) noexcept {
  const auto take = [&](ValueKind kind, Type type) {
    if (field.type != type) return false;
    value = ValueView{};
    value.kind = kind;
    return true;
  };
  switch (field.number) {
    case 1:
      if (take(ValueKind::kString, Type::kLength)) value.text = field.bytes;
      break;
    case 2:
      if (take(ValueKind::kBool, Type::kVarint)) value.boolean = field.scalar != 0;
      break;
    case 3:
      if (take(ValueKind::kInt, Type::kVarint))
        value.integer = static_cast<std::int64_t>(field.scalar);
      break;
    case 4:
      if (take(ValueKind::kDouble, Type::kFixed64))
        value.number = std::bit_cast<double>(field.scalar);
      break;
    case 5:
      if (take(ValueKind::kArray, Type::kLength)) value.text = field.bytes;
      break;
    case 6:
      if (take(ValueKind::kKvlist, Type::kLength)) value.text = field.bytes;
      break;
    case 7:
      if (take(ValueKind::kBytes, Type::kLength)) value.text = field.bytes;
      break;
    default:
      break;
  }
}

inline bool read_value(std::string_view message, ValueView& value) noexcept {
  return for_each_field(message, [&](const Field& field) {
    set_value(value, field);
    return true;
  });
}

inline bool read_attribute(std::string_view message, AttributeView& attribute) noexcept {
  return for_each_field(message, [&](const Field& field) {
    if (field.type != Type::kLength) return true;
    if (field.number == 1) attribute.key = field.bytes;
    return field.number != 2 || read_value(field.bytes, attribute.value);
  });
}

// Calls on_child(bytes) -> bool for each submessage of that number.
template <typename OnChild>
bool for_each_child(std::string_view message, std::uint32_t number, OnChild&& on_child) {
  return for_each_field(message, [&](const Field& field) {
    return field.number != number || field.type != Type::kLength || on_child(field.bytes);
  });
}

}  // namespace spanway::otlp::fields
