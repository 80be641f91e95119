#include "tests/unit/otlp/random_request.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>

namespace spanway::otlp {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class Filler {
 public:
  Filler(std::mt19937_64& random, const RandomRequestOptions& options)
      : random_(random), options_(options) {}

  void fill(Message& message, int depth) {
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->real_oneof_decl_count(); ++i) {
      const auto* oneof = descriptor->oneof_decl(i);
      const int chosen =
          static_cast<int>(below(static_cast<std::uint64_t>(oneof->field_count()) + 1));
      if (chosen < oneof->field_count()) set(message, *oneof->field(chosen), depth);
    }
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor& field = *descriptor->field(i);
      if (field.real_containing_oneof() != nullptr || below(4) == 0) continue;
      if (!field.is_repeated()) {
        set(message, field, depth);
        continue;
      }
      for (std::uint64_t count = below(depth < 5 ? 4 : 3); count > 0; --count) {
        set(message, field, depth);
      }
    }
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void set(Message& message, const FieldDescriptor& field, int depth) {
    const auto* reflection = message.GetReflection();
    const auto put = [&](auto set_one, auto add_one, auto value) {
      field.is_repeated() ? (reflection->*add_one)(&message, &field, value)
                          : (reflection->*set_one)(&message, &field, value);
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth == options_.depth_max) return;
        fill(field.is_repeated() ? *reflection->AddMessage(&message, &field)
                                 : *reflection->MutableMessage(&message, &field),
             depth + 1);
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        put(&R::SetString, &R::AddString, text(field));
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        put(&R::SetBool, &R::AddBool, below(2) == 1);
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        put(&R::SetInt32, &R::AddInt32, static_cast<std::int32_t>(integer()));
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        put(&R::SetUInt32, &R::AddUInt32, static_cast<std::uint32_t>(integer()));
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        put(&R::SetInt64, &R::AddInt64, static_cast<std::int64_t>(integer()));
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        put(&R::SetUInt64, &R::AddUInt64, integer());
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        put(&R::SetDouble, &R::AddDouble, real());
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        put(&R::SetEnumValue, &R::AddEnumValue, static_cast<int>(below(30)));
        return;
      case FieldDescriptor::CPPTYPE_FLOAT:
        return;
    }
  }

  std::uint64_t integer() {
    switch (below(4)) {
      case 0:
        return below(3);
      case 1:
        return 0 - below(200);
      case 2:
        return random_() >> below(64);
      default:
        return std::uint64_t{1} << below(64);
    }
  }

  double real() {
    using Limits = std::numeric_limits<double>;
    constexpr std::array<double, 12> kSpecial = {0.0,
                                                 -0.0,
                                                 1.0,
                                                 -1.5,
                                                 0.1,
                                                 1e300,
                                                 Limits::max(),
                                                 Limits::min(),
                                                 Limits::denorm_min(),
                                                 Limits::infinity(),
                                                 -Limits::infinity(),
                                                 Limits::quiet_NaN()};
    if (below(2) == 0) return kSpecial[below(kSpecial.size())];
    return std::ldexp(static_cast<double>(random_()), static_cast<int>(below(400)) - 200);
  }

  std::string text(const FieldDescriptor& field) {
    if (field.type() == FieldDescriptor::TYPE_STRING) return characters();
    std::size_t size = below(20);
    if (field.name().ends_with("_id")) {
      constexpr std::array<std::size_t, 4> kSizes = {0, 8, 16, 16};
      size = kSizes[below(kSizes.size())];
      if (options_.odd_ids && below(8) == 0) size = below(200);
    }
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }

  std::string characters() {
    constexpr std::array<const char*, 14> kPieces = {"a",
                                                     "service.name",
                                                     "\"",
                                                     "\\",
                                                     "\n",
                                                     "\x01",
                                                     "\x7f",
                                                     "/",
                                                     "\xc3\xa9",
                                                     "\xe2\x82\xac",
                                                     "\xf0\x9f\x98\x80",
                                                     "\xef\xbf\xbf",
                                                     "0123456789abcdef",
                                                     "\t"};
    std::string out;
    const std::uint64_t count = below(16) == 0 ? below(300) : below(5);
    for (std::uint64_t i = 0; i < count; ++i) out += kPieces[below(kPieces.size())];
    if (below(16) == 0) out += '\0';
    return out;
  }

  std::mt19937_64& random_;
  const RandomRequestOptions& options_;
};

}  // namespace

void fill_randomly(Message& message, std::mt19937_64& random, const RandomRequestOptions& options) {
  Filler(random, options).fill(message, 0);
}

}  // namespace spanway::otlp
