// protobuf_to_json().
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/json_fields.h"
#include "services/lib/otlp/json_text.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/utf8_run.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using wire::Ptr;

// Above what the scan lets through: 32 levels of AnyValue at three messages each, and what is
// around them.
constexpr unsigned kDepthMax = 128;

// The occurrences of one field in a message. They need not be adjacent.
struct Occurrences {
  Ptr first = nullptr;
  Ptr last = nullptr;
  std::size_t count = 0;
};
using Found = std::array<Occurrences, kJsonFieldsMax>;

// Packed and single values of a repeated number may be mixed.
bool fits(const JsonField& field, std::uint32_t tag) noexcept {
  const unsigned type = static_cast<unsigned>(wire::type_of(tag));
  return wire::field_of(tag) == field.number &&
         (type == wire_type_of(field.kind) || (type == 2 && field.repeated));
}

std::uint64_t bits_of(const wire::Field& field) noexcept {
  switch (wire::type_of(field.tag)) {
    case wire::Type::kFixed64:
      return wire::load64(field.begin);
    case wire::Type::kFixed32:
      return wire::load32(field.begin);
    default:
      return wire::varint_of(field);
  }
}

// The wire value converted to the type: parsers truncate longer varints.
std::uint64_t narrowed(JsonKind kind, std::uint64_t bits) noexcept {
  switch (kind) {
    case JsonKind::kBool:
      return bits != 0 ? 1 : 0;
    case JsonKind::kInt32:
    case JsonKind::kUint32:
    case JsonKind::kSint32:
    case JsonKind::kEnum:
      return bits & 0xffffffff;
    default:
      return bits;
  }
}

// Prints one request. Single use.
class JsonPrinter {
 public:
  explicit JsonPrinter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  Result<std::string> run(const JsonMessage& message, std::string_view payload) {
    joined_bytes_left_ = 2 * payload.size();
    // All memory that the caller has reserved, where that is no more than text can be: the text
    // is then never moved, and room that it does not use costs nothing.
    constexpr std::size_t kGrowthMax = 16;
    constexpr std::size_t kSmallBytes = 8 * 1024;
    out_.reserve(bytes_max_ <= kGrowthMax * payload.size() + kSmallBytes ? bytes_max_
                                                                         : 2 * payload.size() + 16);
    // Strings are between quotes, so all of the text is UTF-8 just when each string is.
    if (object(message, payload, 0) && !is_utf8(out_)) fail("a string is not UTF-8");
    if (problem_ != nullptr) {
      return invalid_argument(std::string("protobuf to OTLP/JSON: ") + problem_)
          .with_reason("malformed_request");
    }
    if (out_.size() > bytes_max_) {
      return data_error(Code::kResourceExhausted,
                        "protobuf to OTLP/JSON: the text is longer than is allowed")
          .with_reason("request_too_large");
    }
    return std::move(out_);
  }

 private:
  // Always false; so is reaching the bound, which needs no problem_.
  bool fail(const char* problem) noexcept {
    problem_ = problem;
    return false;
  }

  bool object(const JsonMessage& message, std::string_view body, unsigned depth) {
    if (depth == kDepthMax) return fail("messages nest too deep");
    Found found{};
    if (!find_all(message, body, found)) return fail("the framing is broken");
    out_ += '{';
    bool first = true;
    for (std::size_t i = 0; i < message.fields.size(); ++i) {
      if (found[i].count == 0) continue;
      if (!entry(message.fields[i], found[i], wire::end_of(body), first, depth)) return false;
      if (out_.size() > bytes_max_) return false;
    }
    out_ += '}';
    return true;
  }

  static bool find_all(const JsonMessage& message, std::string_view body, Found& found) noexcept {
    const Ptr end = wire::end_of(body);
    std::size_t chosen = kJsonFieldsMax;  // The set member of the oneof.
    std::size_t i = 0;
    for (Ptr p = wire::begin_of(body); p != end;) {
      wire::Field field;
      const Ptr next = wire::read_field(p, end, field);
      if (next == nullptr) return false;
      i = index_of_field(message, field.tag, i);
      if (i == message.fields.size()) {
        i = 0;
      } else {
        if (message.fields[i].oneof && chosen != i) {
          if (chosen != kJsonFieldsMax) found[chosen] = {};
          chosen = i;
        }
        if (found[i].count++ == 0) found[i].first = p;
        found[i].last = p;
      }
      p = next;
    }
    return true;
  }

  // From `expected` on and around; fields.size() without one.
  static std::size_t index_of_field(const JsonMessage& message, std::uint32_t tag,
                                    std::size_t expected) noexcept {
    const std::size_t count = message.fields.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = expected + i < count ? expected + i : expected + i - count;
      if (fits(message.fields[at], tag)) return at;
    }
    return count;
  }

  void name(const JsonField& field, bool& first) {
    if (!first) out_ += ',';
    first = false;
    out_ += '"';
    out_ += field.name;
    out_ += "\":";
  }

  bool entry(const JsonField& field, const Occurrences& found, Ptr end, bool& first,
             unsigned depth) {
    if (field.repeated) {
      name(field, first);
      return list(field, found, end, depth);
    }
    if (field.kind == JsonKind::kMessage) {
      name(field, first);
      return submessage(field, found, end, depth);
    }
    wire::Field last;
    wire::read_field(found.last, end, last);
    if (wire_type_of(field.kind) == 2) {
      if (last.bytes().empty() && !field.presence) return true;
      name(field, first);
      text(field.kind, last.bytes());
      return true;
    }
    const std::uint64_t bits = narrowed(field.kind, bits_of(last));
    if (bits == 0 && !field.presence) return true;
    name(field, first);
    number(field.kind, bits);
    return true;
  }

  bool submessage(const JsonField& field, const Occurrences& found, Ptr end, unsigned depth) {
    wire::Field part;
    if (found.count == 1) {
      wire::read_field(found.first, end, part);
      return object(*field.message, part.bytes(), depth + 1);
    }
    // Parts of one message: their concatenation is their union. Nested, they would be copied once
    // per level, so all copies together are bounded.
    std::string joined;
    for_each(field, found, end, [&](const wire::Field& each) {
      joined += each.bytes();
      return true;
    });
    if (joined.size() > joined_bytes_left_) return fail("too many messages come in parts");
    joined_bytes_left_ -= joined.size();
    return object(*field.message, joined, depth + 1);
  }

  bool list(const JsonField& field, const Occurrences& found, Ptr end, unsigned depth) {
    out_ += '[';
    const std::size_t start = out_.size();
    const bool all = for_each(field, found, end, [&](const wire::Field& each) {
      return elements(field, each, start, depth);
    });
    out_ += ']';
    return all;
  }

  template <typename Visit>
  bool for_each(const JsonField& field, const Occurrences& found, Ptr end, Visit visit) {
    std::size_t left = found.count;
    for (Ptr p = found.first; left > 0;) {
      wire::Field each;
      p = wire::read_field(p, end, each);
      if (!fits(field, each.tag)) continue;
      --left;
      if (!visit(each)) return false;
    }
    return true;
  }

  // One element, or the numbers of a packed run. `start` is where the list begins.
  bool elements(const JsonField& field, const wire::Field& each, std::size_t start,
                unsigned depth) {
    const auto comma = [this, start] {
      if (out_.size() != start) out_ += ',';
    };
    const bool is_number = wire_type_of(field.kind) != 2;
    if (is_number && wire::type_of(each.tag) == wire::Type::kLength) {
      return packed(field.kind, each, comma);
    }
    comma();
    if (field.kind == JsonKind::kMessage) {
      return object(*field.message, each.bytes(), depth + 1) && out_.size() <= bytes_max_;
    }
    if (is_number) {
      number(field.kind, narrowed(field.kind, bits_of(each)));
    } else {
      text(field.kind, each.bytes());
    }
    return out_.size() <= bytes_max_;
  }

  template <typename Comma>
  bool packed(JsonKind kind, const wire::Field& run, Comma comma) {
    const auto type = static_cast<wire::Type>(wire_type_of(kind));
    for (Ptr p = run.begin; p != run.end;) {
      wire::Field each;
      each.tag = wire::make_tag(1, type);
      each.begin = p;
      each.end = wire::skip_value(p, run.end, each.tag);
      if (each.end == nullptr) return fail("the framing of a packed list is broken");
      comma();
      number(kind, narrowed(kind, bits_of(each)));
      if (out_.size() > bytes_max_) return false;
      p = each.end;
    }
    return true;
  }

  void text(JsonKind kind, std::string_view bytes) {
    if (kind == JsonKind::kString) return append_quoted(bytes, out_);
    out_ += '"';
    if (kind == JsonKind::kId) {
      append_hex(bytes, out_);
    } else {
      append_base64(out_, bytes);
    }
    out_ += '"';
  }

  void number(JsonKind kind, std::uint64_t bits) {
    const auto low = static_cast<std::uint32_t>(bits);
    switch (kind) {
      case JsonKind::kBool:
        out_ += bits != 0 ? "true" : "false";
        return;
      case JsonKind::kInt32:
      case JsonKind::kEnum:
        return digits(static_cast<std::int32_t>(low));
      case JsonKind::kSint32:
        return digits(static_cast<std::int32_t>((low >> 1) ^ (0 - (low & 1))));
      case JsonKind::kUint32:
      case JsonKind::kFixed32:
        return digits(low);
      case JsonKind::kDouble:
        return real(std::bit_cast<double>(bits));
      default:
        break;
    }
    // 64 bits do not fit the numbers of JavaScript.
    out_ += '"';
    if (kind == JsonKind::kInt64 || kind == JsonKind::kSfixed64) {
      digits(static_cast<std::int64_t>(bits));
    } else {
      digits(bits);
    }
    out_ += '"';
  }

  void real(double value) {
    if (std::isnan(value)) {
      out_ += "\"NaN\"";
    } else if (std::isinf(value)) {
      out_ += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else if (value == 0 && std::signbit(value)) {
      out_ += "-0.0";  // Readers, protobuf's too, take "-0" for an integer and lose the sign.
    } else {
      digits(value);  // The shortest text that reads back as the same number.
    }
  }

  template <typename Number>
  void digits(Number value) {
    char text[32];
    out_.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  }

  std::string out_;
  std::size_t bytes_max_;
  std::size_t joined_bytes_left_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace

Result<std::string> protobuf_to_json(Signal signal, std::string_view payload,
                                     std::size_t output_bytes_max) {
  return JsonPrinter(output_bytes_max).run(json_request(signal), payload);
}

}  // namespace spanway::otlp
