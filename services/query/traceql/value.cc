#include "services/query/traceql/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace spanway::query::traceql {
namespace {

constexpr std::string_view kKinds[] = {"unspecified", "internal", "server",
                                       "client",      "producer", "consumer"};
constexpr std::string_view kStatuses[] = {"unset", "ok", "error"};

int sign_of(bool is_less, bool is_greater) { return is_less ? -1 : is_greater ? 1 : 0; }

std::string array_text(const Value& value) {
  std::string result = "[";
  for (const Value& element : value.elements)
    result += (result.size() > 1 ? ", " : "") + to_string(element);
  return result + "]";
}

bool is_matching_element(Type array, Type other) {
  return is_array(array) && are_comparable(element_type(array), other);
}

}  // namespace

double Value::as_number() const {
  if (type == Type::kFloat) return number;
  return is_numeric(type) ? static_cast<double>(integer) : std::numeric_limits<double>::quiet_NaN();
}

std::size_t Value::memory_bytes() const {
  std::size_t bytes = sizeof(Value) + text.capacity();
  for (const Value& element : elements) bytes += element.memory_bytes();
  return bytes;
}

bool Value::operator==(const Value& other) const {
  if (type != other.type) return false;
  switch (type) {
    case Type::kNil:
      return true;
    case Type::kFloat:
      return number == other.number;
    case Type::kString:
      return text == other.text;
    default:
      return is_array(type) ? elements == other.elements : integer == other.integer;
  }
}

bool are_comparable(Type left, Type right) {
  if (left == Type::kAttribute || right == Type::kAttribute || left == right) return true;
  if (is_numeric(left) && is_numeric(right)) return true;
  if (left == Type::kNil || right == Type::kNil) return true;
  return is_matching_element(left, right) || is_matching_element(right, left);
}

bool equals(const Value& left, const Value& right) {
  if (left.is_nil() || right.is_nil()) return false;
  if (is_numeric(left.type) && is_numeric(right.type))
    return left.type == Type::kFloat || right.type == Type::kFloat
               ? left.as_number() == right.as_number()
               : left.integer == right.integer;
  return left == right;
}

int compare(const Value& left, const Value& right) {
  if (left.type != right.type) {
    if (is_numeric(left.type) && is_numeric(right.type)) {
      const double l = left.as_number(), r = right.as_number();
      return sign_of(l<r, l> r);
    }
    return sign_of(left.type<right.type, left.type> right.type);
  }
  if (left.type == Type::kFloat)
    return sign_of(left.number<right.number, left.number> right.number);
  if (left.type == Type::kString) return left.text.compare(right.text);
  if (!is_array(left.type)) return sign_of(left.integer<right.integer, left.integer> right.integer);
  const std::size_t common = std::min(left.elements.size(), right.elements.size());
  for (std::size_t i = 0; i < common; ++i)
    if (const int order = compare(left.elements[i], right.elements[i]); order != 0) return order;
  return sign_of(left.elements.size() < right.elements.size(),
                 left.elements.size() > right.elements.size());
}

std::string to_string(const Value& value) {
  return value.type == Type::kString ? "`" + value.text + "`" : plain_text(value);
}

std::string plain_text(const Value& value) {
  switch (value.type) {
    case Type::kNil:
      return "nil";
    case Type::kInt:
      return std::to_string(value.integer);
    case Type::kFloat:
      return print_float(value.number);
    case Type::kString:
      return value.text;
    case Type::kBoolean:
      return value.integer != 0 ? "true" : "false";
    case Type::kDuration:
      return print_duration(value.integer);
    case Type::kStatus:
      return std::string(status_name(value.integer));
    case Type::kKind:
      return std::string(kind_name(value.integer));
    default:
      return array_text(value);
  }
}

std::string print_float(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  std::array<char, 40> buffer{};
  // Go's shortest form has an exponent from 1e+21 on only in JSON; its %g from 1e+06 on.
  const double magnitude = std::abs(number);
  const bool has_exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e6);
  const auto format = has_exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto printed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format);
  std::string text(buffer.data(), printed.ptr);
  // A point sets it apart from an integer.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string_view kind_name(std::int64_t kind) {
  return kind >= 0 && kind < std::ssize(kKinds) ? kKinds[kind] : kKinds[0];
}

std::string_view status_name(std::int64_t status) {
  return status >= 0 && status < std::ssize(kStatuses) ? kStatuses[status] : kStatuses[0];
}

}  // namespace spanway::query::traceql
