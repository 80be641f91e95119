#include "services/lib/otlp/otlp_json.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/item_walker.h"
#include "services/lib/otlp/json_fields.h"
#include "services/lib/otlp/json_number.h"
#include "services/lib/otlp/json_output.h"
#include "services/lib/otlp/json_reader.h"
#include "services/lib/otlp/json_text.h"

namespace spanway::otlp {
namespace {

using Next = JsonReader::Next;

// Whatever limit the caller passes: the call stack takes a frame for each level, and items and data
// points must be reached to be counted.
constexpr std::size_t kDepthFloor = 16;
constexpr std::size_t kDepthCeiling = 512;
// Longer names belong to no field.
constexpr std::size_t kNameBytesMax = 64;

// The position of the reader: a chain through the stack, turned into text only for an error.
struct Place {
  static constexpr std::size_t kNoIndex = std::numeric_limits<std::size_t>::max();
  const Place* parent = nullptr;
  std::string_view name;
  std::size_t index = kNoIndex;
};

void append_path(const Place& place, std::string& out) {
  if (place.parent != nullptr) append_path(*place.parent, out);
  if (place.name.empty()) return;
  if (!out.empty()) out += '.';
  out += place.name;
  if (place.index != Place::kNoIndex) out += '[' + std::to_string(place.index) + ']';
}

const JsonField* find_field(const JsonMessage& message, std::string_view name,
                            std::size_t& expected) {
  const std::size_t count = message.fields.size();
  // Writers keep an order: most names are the one after the last.
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = expected + i < count ? expected + i : expected + i - count;
    if (message.fields[at].name == name) {
      expected = at + 1 == count ? 0 : at + 1;
      return &message.fields[at];
    }
  }
  return nullptr;
}

// The lowest and highest value of an integer kind.
struct Bounds {
  std::uint64_t negative_max;  // Maximum of the magnitude.
  std::uint64_t positive_max;
};
constexpr Bounds bounds_of(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::kInt32:
    case JsonKind::kSint32:
    case JsonKind::kEnum:
      return {std::uint64_t{1} << 31, (std::uint64_t{1} << 31) - 1};
    case JsonKind::kInt64:
    case JsonKind::kSfixed64:
      return {std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1};
    case JsonKind::kUint32:
    case JsonKind::kFixed32:
      return {0, std::numeric_limits<std::uint32_t>::max()};
    default:
      return {0, std::numeric_limits<std::uint64_t>::max()};
  }
}

// Reads one request and writes it. Single use.
class JsonDecoder {
 public:
  JsonDecoder(Signal signal, std::string_view json, const JsonLimits& limits)
      : signal_(signal),
        text_(json),
        in_(json, std::clamp(limits.depth_max, kDepthFloor, kDepthCeiling)),
        out_(limits.output_bytes_max, json.size() / 2 + 64, limits.permit) {}

  Result<Bytes> run(JsonNotes* notes) {
    if (in_.peek() != Next::kObject) {
      fail("the request must be an object", {});
    } else if (object(json_request(signal_), {}) && !in_.finish()) {
      fail(in_.problem(), {});
    }
    if (items_ == 0 && unknown_names_ > 0) {
      out_.tag(kUnknownNamesField, 0);
      out_.varint(unknown_names_);
    }
    if (out_.no_memory()) {
      return transient_error(Code::kResourceExhausted,
                             "OTLP/JSON: no memory to convert the request now")
          .with_reason("no_memory");
    }
    if (out_.full()) {
      return data_error(Code::kResourceExhausted,
                        "OTLP/JSON: the request takes more bytes as protobuf than is allowed")
          .with_reason("request_too_large");
    }
    if (!problem_.empty())
      return invalid_argument(std::move(problem_)).with_reason("malformed_json");
    if (notes != nullptr) *notes = std::move(notes_);
    return std::move(out_).take();
  }

 private:
  // Always false. The first problem stays.
  bool fail(const char* problem, const Place& place) {
    return fail_at(in_.offset(), problem, place);
  }
  bool fail_at(std::size_t offset, const char* problem, const Place& place) {
    if (problem_.empty()) problem_ = describe(offset, problem, place);
    return false;
  }
  static std::string describe(std::size_t offset, const char* problem, const Place& place) {
    std::string path;
    append_path(place, path);
    std::string text = "OTLP/JSON: at byte " + std::to_string(offset);
    if (!path.empty()) text += " (" + path + ")";
    return text + ": " + problem;
  }

  // A value that its field cannot take: costs the innermost item, scope or resource. Outside of
  // them there is nothing to keep.
  bool wrong_at(std::size_t offset, const char* problem, const Place& place,
                std::uint32_t mark = kInvalidValueField) {
    if (rejectable_ == 0) return fail_at(offset, problem, place);
    if (notes_.first_fault.empty()) notes_.first_fault = describe(offset, problem, place);
    if (mark_ == 0) mark_ = mark;
    return true;
  }
  // About a piece of the text that has been read.
  bool wrong(const char* problem, const Place& place, std::string_view piece) {
    return wrong_at(static_cast<std::size_t>(piece.data() - text_.data()), problem, place);
  }
  // About the next value, which is skipped.
  bool wrong(const char* problem, const Place& place, std::uint32_t mark = kInvalidValueField) {
    return wrong_at(in_.offset(), problem, place, mark) &&
           (in_.skip_value(out_) || fail(in_.problem(), place));
  }
  bool too_deep(const Place& place) {
    return wrong("objects and arrays nest too deep", place, kTooDeepField);
  }
  bool stopped(const Place& place) {
    if (in_.problem() != nullptr) fail(in_.problem(), place);
    return in_.problem() != nullptr || out_.full();
  }

  bool object(const JsonMessage& message, const Place& place) {
    if (in_.peek() != Next::kObject) return wrong("an object is due", place);
    if (!in_.can_open()) return too_deep(place);
    if (!in_.open_object()) return fail(in_.problem(), place);
    std::uint32_t present = 0;
    std::size_t expected = 0;
    JsonString key;
    while (in_.next_member(key)) {
      const JsonField* field = lookup(message, key, expected);
      if (field == nullptr) {
        const bool is_group =
            message.role == JsonRole::kRequest || message.role == JsonRole::kGroup;
        if (is_group && in_.peek() != Next::kNull) ++unknown_names_;
        if (!in_.skip_value(out_)) break;
        continue;
      }
      const std::uint32_t bit = 1u << (field - message.fields.data());
      const Place here{&place, field->name};
      if (!value(*field, (present & bit) != 0, here)) return false;
      present |= bit;
      if (out_.full()) return false;
    }
    return !stopped(place);
  }

  const JsonField* lookup(const JsonMessage& message, const JsonString& key,
                          std::size_t& expected) {
    if (!key.escaped) return find_field(message, key.raw, expected);
    char name[kNameBytesMax * 6];
    if (key.raw.size() > sizeof(name)) return nullptr;
    return find_field(message, {name, JsonReader::unescape(key, name)}, expected);
  }

  // `again`: the name has been there before, so that even a zero must be written to win.
  bool value(const JsonField& field, bool again, const Place& place) {
    if (in_.peek() == Next::kNull) return in_.read_literal() || fail(in_.problem(), place);
    if (field.repeated) {
      return wire_type_of(field.kind) == 2 ? elements(field, place) : packed(field, place);
    }
    if (field.kind == JsonKind::kMessage) return submessage(field, place);
    if (wire_type_of(field.kind) == 2) return text(field, again || field.presence, place);
    std::uint64_t bits = 0;
    if (!number(field.kind, bits, place)) return false;
    if (bits == 0 && !again && !field.presence) return true;
    out_.tag(field.number, wire_type_of(field.kind));
    write(field.kind, bits);
    return true;
  }

  bool submessage(const JsonField& field, const Place& place) {
    out_.tag(field.number, 2);
    const JsonOutput::Mark start = out_.begin(field.message->length_bytes);
    const JsonRole role = field.message->role;
    const bool rejectable = role == JsonRole::kGroup || role == JsonRole::kItem;
    const std::uint32_t mark_around = mark_;
    if (role == JsonRole::kItem) ++items_;
    if (rejectable) {
      ++rejectable_;
      mark_ = 0;
    }
    // An element of a list may be null: an empty message, as a null attribute is.
    const bool read = in_.peek() == Next::kNull ? in_.read_literal() || fail(in_.problem(), place)
                                                : object(*field.message, place);
    if (rejectable) {
      if (mark_ != 0) {
        out_.tag(mark_, 0);
        out_.varint(1);
      }
      --rejectable_;
      mark_ = mark_around;
    }
    out_.end(start, field.message->length_bytes);
    return read;
  }

  // An array of messages or strings.
  bool elements(const JsonField& field, const Place& place) {
    if (in_.peek() != Next::kArray) return wrong("an array is due", place);
    if (!in_.can_open()) return too_deep(place);
    if (!in_.open_array()) return fail(in_.problem(), place);
    for (Place here{place.parent, place.name, 0}; in_.next_element(); ++here.index) {
      const bool read =
          field.kind == JsonKind::kMessage ? submessage(field, here) : text(field, true, here);
      if (!read || out_.full()) return false;
    }
    return !stopped(place);
  }

  // An array of numbers.
  bool packed(const JsonField& field, const Place& place) {
    if (in_.peek() != Next::kArray) return wrong("an array is due", place);
    if (!in_.can_open()) return too_deep(place);
    if (!in_.open_array()) return fail(in_.problem(), place);
    constexpr unsigned kLengthBytes = 1;
    JsonOutput::Mark mark = 0;
    Place here{place.parent, place.name, 0};
    for (; in_.next_element(); ++here.index) {
      if (here.index == 0) {
        out_.tag(field.number, 2);
        mark = out_.begin(kLengthBytes);
      }
      std::uint64_t bits = 0;
      if (!number(field.kind, bits, here)) return false;
      write(field.kind, bits);
      if (out_.full()) return false;
    }
    if (here.index > 0) out_.end(mark, kLengthBytes);
    return !stopped(place);
  }

  // --- Numbers ---

  void write(JsonKind kind, std::uint64_t bits) {
    const unsigned type = wire_type_of(kind);
    if (type == 0) {
      out_.varint(bits);
    } else {
      out_.fixed(bits, type == 1 ? 8 : 4);
    }
  }

  // The wire value of the next value; 0 for a wrong one. False = stop.
  bool number(JsonKind kind, std::uint64_t& bits, const Place& place) {
    bits = 0;
    const Next next = in_.peek();
    if (kind == JsonKind::kBool) {
      if (next != Next::kTrue && next != Next::kFalse) return wrong("true or false is due", place);
      bits = next == Next::kTrue ? 1 : 0;
      return in_.read_literal() || fail(in_.problem(), place);
    }
    if (kind == JsonKind::kEnum && next == Next::kString) {
      return wrong("an enum must be its number, not its name", place);
    }
    std::string_view digits;
    if (next == Next::kNumber) {
      if (!in_.read_number(digits)) return fail(in_.problem(), place);
    } else if (next == Next::kString) {
      JsonString quoted;
      if (!in_.read_string(quoted)) return fail(in_.problem(), place);
      if (kind == JsonKind::kDouble && named_double(quoted.raw, bits)) return true;
      // No number needs an escape.
      if (!JsonReader::is_number(quoted.raw)) {
        return wrong("the string holds no number", place, quoted.raw);
      }
      digits = quoted.raw;
    } else {
      return wrong("a number is due", place);
    }
    return kind == JsonKind::kDouble ? real(digits, bits, place)
                                     : integer(kind, digits, bits, place);
  }

  static bool named_double(std::string_view name, std::uint64_t& bits) {
    using Limits = std::numeric_limits<double>;
    double value = 0;
    if (name == "NaN") {
      value = Limits::quiet_NaN();
    } else if (name == "Infinity") {
      value = Limits::infinity();
    } else if (name == "-Infinity") {
      value = -Limits::infinity();
    } else {
      return false;
    }
    bits = std::bit_cast<std::uint64_t>(value);
    return true;
  }

  bool real(std::string_view digits, std::uint64_t& bits, const Place& place) {
    double value = 0;
    if (parse_double(digits, value) != NumberFault::kNone) {
      return wrong("the number is out of range", place, digits);
    }
    bits = std::bit_cast<std::uint64_t>(value);
    return true;
  }

  bool integer(JsonKind kind, std::string_view digits, std::uint64_t& bits, const Place& place) {
    WholeNumber parsed;
    const NumberFault fault = parse_whole(digits, parsed);
    if (fault == NumberFault::kFraction)
      return wrong("the number must be an integer", place, digits);
    const Bounds bounds = bounds_of(kind);
    if (fault == NumberFault::kRange ||
        parsed.magnitude > (parsed.negative ? bounds.negative_max : bounds.positive_max)) {
      return wrong("the number is out of range", place, digits);
    }
    bits = parsed.negative ? 0 - parsed.magnitude : parsed.magnitude;
    if (kind == JsonKind::kSint32) {  // Zigzag.
      bits = parsed.negative ? 2 * parsed.magnitude - 1 : 2 * parsed.magnitude;
    }
    return true;
  }

  // --- Strings ---

  bool text(const JsonField& field, bool even_empty, const Place& place) {
    if (in_.peek() != Next::kString) return wrong("a string is due", place);
    JsonString string;
    if (!in_.read_string(string)) return fail(in_.problem(), place);
    notes_.replaced_surrogates += string.lone_surrogates;
    if (string.raw.empty() && !even_empty) return true;
    out_.tag(field.number, 2);
    if (field.kind == JsonKind::kString && !string.escaped) {
      out_.varint(string.raw.size());
      out_.raw(string.raw);
      return true;
    }
    const auto length_bytes = static_cast<unsigned>(wire::varint_size(string.raw.size()));
    const JsonOutput::Mark mark = out_.begin(length_bytes);
    // No encoding is longer than its text.
    char* place_of_bytes = out_.grow(std::max<std::size_t>(string.raw.size(), 1));
    if (place_of_bytes == nullptr) return false;
    std::size_t size = JsonReader::unescape(string, place_of_bytes);
    const std::string_view plain(place_of_bytes, size);
    bool valid = true;
    if (field.kind == JsonKind::kId) {
      size = decode_id(plain, place_of_bytes);
    } else if (field.kind == JsonKind::kBytes) {
      valid = decode_base64_lenient(plain, place_of_bytes, size);
    }
    out_.cut(std::max<std::size_t>(string.raw.size(), 1) - size);
    out_.end(mark, length_bytes);
    return valid || wrong("the string is not base64", place, string.raw);
  }

  // In place. What no hex can mean becomes an id of a length that the scan rejects.
  static std::size_t decode_id(std::string_view text, char* out) {
    std::size_t size = 0;
    if (decode_hex(text, out, size)) return size;
    out[0] = 0;
    return 1;
  }

  Signal signal_;
  std::string_view text_;
  JsonReader in_;
  JsonOutput out_;
  std::string problem_;  // Why the request is refused.
  JsonNotes notes_;
  std::uint64_t items_ = 0;
  std::uint64_t unknown_names_ = 0;  // In the request, its resources and scopes.
  unsigned rejectable_ = 0;          // Open items, scopes and resources.
  std::uint32_t mark_ = 0;           // The field that has the innermost of them rejected; 0 = none.
};

}  // namespace

Result<Bytes> json_to_protobuf(Signal signal, std::string_view json, const JsonLimits& limits,
                               JsonNotes* notes) {
  if (json.starts_with("\xef\xbb\xbf")) {
    return invalid_argument("OTLP/JSON: at byte 0: the text must not begin with a byte order mark")
        .with_reason("malformed_json");
  }
  return JsonDecoder(signal, json, limits).run(notes);
}

}  // namespace spanway::otlp
