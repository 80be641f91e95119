// A value of TraceQL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::query::traceql {

enum class Type : unsigned char {
  kNil,
  kSpanset,    // Type of expressions only: a set of spans.
  kAttribute,  // Type of expressions only: known when a span is read.
  kInt,
  kFloat,
  kString,
  kBoolean,
  kIntArray,
  kFloatArray,
  kStringArray,
  kBooleanArray,
  kDuration,
  kStatus,
  kKind,
};

// The numbers of OTLP, in `integer` of kStatus and kKind.
inline constexpr std::int64_t kStatusUnset = 0, kStatusOk = 1, kStatusError = 2;

struct Value {
  Type type = Type::kNil;
  std::int64_t integer = 0;          // kInt, kBoolean, kDuration (nanoseconds), kStatus, kKind.
  double number = 0;                 // kFloat.
  std::string text = {};             // kString.
  std::vector<Value> elements = {};  // Arrays, each of the array's element type.

  static Value of_int(std::int64_t v) { return {.type = Type::kInt, .integer = v}; }
  static Value of_float(double v) { return {.type = Type::kFloat, .number = v}; }
  static Value of_bool(bool v) { return {.type = Type::kBoolean, .integer = v ? 1 : 0}; }
  static Value of_duration(std::int64_t v) { return {.type = Type::kDuration, .integer = v}; }
  static Value of_status(std::int64_t v) { return {.type = Type::kStatus, .integer = v}; }
  static Value of_kind(std::int64_t v) { return {.type = Type::kKind, .integer = v}; }
  static Value of_string(std::string_view v) {
    Value result;
    result.type = Type::kString;
    result.text = v;
    return result;
  }

  bool is_nil() const noexcept { return type == Type::kNil; }
  bool is_true() const noexcept { return type == Type::kBoolean && integer != 0; }
  // NaN for what is no number.
  double as_number() const;
  std::size_t memory_bytes() const;
  // The same type and value.
  bool operator==(const Value& other) const;
};

constexpr bool is_numeric(Type t) {
  return t == Type::kInt || t == Type::kFloat || t == Type::kDuration;
}
constexpr bool is_array(Type t) { return t >= Type::kIntArray && t <= Type::kBooleanArray; }
// The type of an array's elements.
constexpr Type element_type(Type array) {
  return static_cast<Type>(static_cast<int>(array) - static_cast<int>(Type::kIntArray) +
                           static_cast<int>(Type::kInt));
}
// True when an operator may have operands of these types on its two sides.
bool are_comparable(Type left, Type right);

// As the language's "=": numbers by value, whatever their type; nil equals nothing.
bool equals(const Value& left, const Value& right);
// A total order, for min, max and keys: numbers by value, other types by their rank.
int compare(const Value& left, const Value& right);

// For maps: values of two types are two keys.
struct KeyLess {
  bool operator()(const Value& left, const Value& right) const {
    return left.type != right.type ? left.type < right.type : compare(left, right) < 0;
  }
};

// In a query: strings in backquotes.
std::string to_string(const Value& value);
// For people and labels: strings as they are.
std::string plain_text(const Value& value);
// As Go prints it: "1m30s", "1.5ms".
std::string print_duration(std::int64_t nanos);
std::string print_float(double number);
// "internal", "error".
std::string_view kind_name(std::int64_t kind);
std::string_view status_name(std::int64_t status);

}  // namespace spanway::query::traceql
