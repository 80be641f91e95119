#include "services/lib/block/type.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace spanway::block {
namespace {

constexpr int kDepthMax = 8;
constexpr std::uint32_t kFixedStringBytesMax = 1u << 20;

struct Scalar {
  std::string_view name;
  Kind kind;
  std::size_t bytes;
};
constexpr std::array<Scalar, 15> kScalars = {{
    {"Bool", Kind::kBool, 1},
    {"UInt8", Kind::kUInt8, 1},
    {"UInt16", Kind::kUInt16, 2},
    {"UInt32", Kind::kUInt32, 4},
    {"UInt64", Kind::kUInt64, 8},
    {"UInt128", Kind::kUInt128, 16},
    {"Int8", Kind::kInt8, 1},
    {"Int16", Kind::kInt16, 2},
    {"Int32", Kind::kInt32, 4},
    {"Int64", Kind::kInt64, 8},
    {"Float32", Kind::kFloat32, 4},
    {"Float64", Kind::kFloat64, 8},
    {"Date", Kind::kDate, 2},
    {"DateTime", Kind::kDateTime, 4},
    {"String", Kind::kString, 0},
}};

const Scalar* scalar_of(Kind kind) noexcept {
  for (const Scalar& scalar : kScalars)
    if (scalar.kind == kind) return &scalar;
  return nullptr;
}

// Recursive descent over one type's text.
class Parser {
 public:
  explicit Parser(std::string_view text) noexcept : rest_(text) {}

  std::optional<Type> parse_all() {
    auto type = parse(0);
    skip_space();
    return rest_.empty() ? std::move(type) : std::nullopt;
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    skip_space();
    std::size_t length = 0;
    const auto is_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (length < rest_.size() && is_word(rest_[length])) ++length;
    const std::string_view found = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return found;
  }
  template <typename T>
  bool number(T& value) {
    skip_space();
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool quoted(std::string& text) {
    if (!take('\'')) return false;
    while (!rest_.empty() && rest_.front() != '\'') {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (rest_.empty()) return false;
      text.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    return take('\'');
  }

  std::optional<Type> parse(int depth) {
    if (depth > kDepthMax) return std::nullopt;
    const std::string_view name = word();
    for (const Scalar& scalar : kScalars)
      if (name == scalar.name) {
        Type type;
        type.kind = scalar.kind;
        if (type.kind == Kind::kDateTime && take('(')) {  // DateTime('UTC')
          std::string zone;
          if (!quoted(zone) || !take(')')) return std::nullopt;
        }
        return type;
      }
    if (!take('(')) return std::nullopt;
    auto type = parse_arguments(name, depth);
    if (!type || !take(')')) return std::nullopt;
    return type;
  }

  std::optional<Type> parse_arguments(std::string_view name, int depth) {
    if (name == "FixedString") return fixed_string();
    if (name == "DateTime64") return date_time64();
    if (name == "Enum8") return enum8();
    if (name == "Nullable") return wrapper(Kind::kNullable, depth);
    if (name == "LowCardinality") return wrapper(Kind::kLowCardinality, depth);
    if (name == "Array") return wrapper(Kind::kArray, depth);
    if (name == "Map") return map(depth);
    if (name == "SimpleAggregateFunction" && !word().empty() && take(',')) return parse(depth + 1);
    return std::nullopt;
  }

  std::optional<Type> fixed_string() {
    Type type;
    type.kind = Kind::kFixedString;
    if (!number(type.width) || type.width == 0 || type.width > kFixedStringBytesMax)
      return std::nullopt;
    return type;
  }
  std::optional<Type> date_time64() {
    Type type;
    type.kind = Kind::kDateTime64;
    if (!number(type.scale) || type.scale > 9) return std::nullopt;
    std::string zone;
    if (take(',') && !quoted(zone)) return std::nullopt;
    return type;
  }
  std::optional<Type> enum8() {
    Type type;
    type.kind = Kind::kEnum8;
    do {
      EnumValue value;
      if (!quoted(value.name) || !take('=') || !number(value.value)) return std::nullopt;
      type.values.push_back(std::move(value));
    } while (take(','));
    return type;
  }
  std::optional<Type> wrapper(Kind kind, int depth) {
    auto inner = parse(depth + 1);
    if (!inner) return std::nullopt;
    const bool nullable_string =
        inner->kind == Kind::kNullable && inner->inner.front().kind == Kind::kString;
    if (kind == Kind::kLowCardinality && inner->kind != Kind::kString && !nullable_string)
      return std::nullopt;
    if (kind == Kind::kNullable && value_bytes(*inner) == 0 && inner->kind != Kind::kString)
      return std::nullopt;
    Type type;
    type.kind = kind;
    type.inner.push_back(std::move(*inner));
    return type;
  }
  std::optional<Type> map(int depth) {
    auto key = parse(depth + 1);
    if (!key || !take(',')) return std::nullopt;
    auto value = parse(depth + 1);
    if (!value) return std::nullopt;
    Type type;
    type.kind = Kind::kMap;
    type.inner.push_back(std::move(*key));
    type.inner.push_back(std::move(*value));
    return type;
  }

  std::string_view rest_;
};

std::string enum_text(const Type& type) {
  std::string text = "Enum8(";
  for (const EnumValue& value : type.values) {
    if (text.back() != '(') text += ", ";
    text += '\'';
    for (const char c : value.name) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' = " + std::to_string(value.value);
  }
  return text + ")";
}

}  // namespace

Result<Type> parse_type(std::string_view text) {
  auto type = Parser(text).parse_all();
  if (!type)
    return configuration_error(Code::kUnimplemented, "The column type " +
                                                         std::string(text.substr(0, 200)) +
                                                         " is not one that Spanway can hold")
        .with_reason("unsupported_type");
  return std::move(*type);
}

std::string to_string(const Type& type) {
  switch (type.kind) {
    case Kind::kFixedString:
      return "FixedString(" + std::to_string(type.width) + ")";
    case Kind::kDateTime64:
      return "DateTime64(" + std::to_string(type.scale) + ")";
    case Kind::kEnum8:
      return enum_text(type);
    case Kind::kNullable:
      return "Nullable(" + to_string(type.inner[0]) + ")";
    case Kind::kLowCardinality:
      return "LowCardinality(" + to_string(type.inner[0]) + ")";
    case Kind::kArray:
      return "Array(" + to_string(type.inner[0]) + ")";
    case Kind::kMap:
      return "Map(" + to_string(type.inner[0]) + ", " + to_string(type.inner[1]) + ")";
    default:
      return std::string(scalar_of(type.kind)->name);
  }
}

std::size_t value_bytes(const Type& type) noexcept {
  switch (type.kind) {
    case Kind::kFixedString:
      return type.width;
    case Kind::kDateTime64:
      return 8;
    case Kind::kEnum8:
      return 1;
    case Kind::kNullable:
    case Kind::kLowCardinality:
    case Kind::kArray:
    case Kind::kMap:
      return 0;
    default:
      return scalar_of(type.kind)->bytes;
  }
}

}  // namespace spanway::block
