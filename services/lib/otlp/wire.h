// The protobuf wire format, read and written without objects: public, for each library that reads
// or writes protobuf by hand (OTLP, Loki's and Prometheus's requests). Free functions, thread-safe.
//
// Readers take [p, end) and return the position of the next byte, or nullptr when the framing is
// broken; they never touch a byte at or behind `end`. They are stricter than the format where some
// parser behind us is: a tag must be in its shortest form and at most 5 bytes long, a length at
// most 5 bytes, a varint at most 10 with nothing above 64 bits; groups do not exist.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "services/lib/base/bytes.h"

namespace spanway::otlp::wire {

static_assert(std::endian::native == std::endian::little, "fixed32 and fixed64 are read in place");

using Ptr = const std::uint8_t*;

enum class Type : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

constexpr std::uint32_t make_tag(std::uint32_t field, Type type) noexcept {
  return field << 3 | static_cast<std::uint32_t>(type);
}
constexpr Type type_of(std::uint32_t tag) noexcept { return static_cast<Type>(tag & 7); }
constexpr std::uint32_t field_of(std::uint32_t tag) noexcept { return tag >> 3; }

inline constexpr std::size_t kMessageBytesMax = 0x7fffffff;

inline Ptr begin_of(std::string_view bytes) noexcept { return reinterpret_cast<Ptr>(bytes.data()); }
inline Ptr end_of(std::string_view bytes) noexcept { return begin_of(bytes) + bytes.size(); }
inline std::size_t left(Ptr p, Ptr end) noexcept { return static_cast<std::size_t>(end - p); }
inline std::string_view view_of(Ptr p, Ptr end) noexcept {
  return {reinterpret_cast<const char*>(p), left(p, end)};
}
inline std::uint64_t load64(const void* p) noexcept {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}
inline std::uint32_t load32(const void* p) noexcept {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// --- Reading ---

[[gnu::noinline]] inline Ptr read_long_varint(Ptr p, Ptr end, std::uint64_t& value) noexcept {
  std::uint64_t sum = 0;
  for (unsigned shift = 0; shift < 70 && p != end; shift += 7) {
    const std::uint64_t byte = *p++;
    if (shift == 63 && byte > 1) return nullptr;
    sum |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = sum;
      return p;
    }
  }
  return nullptr;
}
inline Ptr read_varint(Ptr p, Ptr end, std::uint64_t& value) noexcept {
  if (p != end && *p < 0x80) [[likely]] {
    value = *p;
    return p + 1;
  }
  return read_long_varint(p, end, value);
}
inline Ptr skip_varint(Ptr p, Ptr end) noexcept {
  if (left(p, end) >= 8) [[likely]] {
    if (const std::uint64_t stops = ~load64(p) & 0x8080808080808080ULL; stops != 0) [[likely]]
      return p + (std::countr_zero(stops) >> 3) + 1;
  }
  std::uint64_t ignored;
  return read_long_varint(p, end, ignored);
}

[[gnu::noinline]] inline Ptr read_long_length(Ptr p, Ptr end, std::size_t& size) noexcept {
  std::uint64_t value = 0;
  Ptr q = read_long_varint(p, end, value);
  if (q == nullptr || q - p > 5 || value > kMessageBytesMax) return nullptr;
  size = static_cast<std::size_t>(value);
  return q;
}
// A length and the promise that so many bytes follow.
inline Ptr read_length(Ptr p, Ptr end, std::size_t& size) noexcept {
  if (p != end && *p < 0x80) [[likely]] {
    size = *p++;
  } else {
    p = read_long_length(p, end, size);
    if (p == nullptr) return nullptr;
  }
  return size <= left(p, end) ? p : nullptr;
}

[[gnu::noinline]] inline Ptr read_long_tag(Ptr p, Ptr end, std::uint32_t& tag) noexcept {
  std::uint64_t value = 0;
  Ptr q = read_long_varint(p, end, value);
  if (q == nullptr || value > 0xffffffffULL) return nullptr;
  if (value >> (7 * (q - p - 1)) == 0) return nullptr;  // Longer than it needs to be.
  tag = static_cast<std::uint32_t>(value);
  return q;
}
// The field's number is not 0.
inline Ptr read_tag(Ptr p, Ptr end, std::uint32_t& tag) noexcept {
  if (p != end && *p < 0x80) [[likely]] {
    tag = *p;
    return tag >= 8 ? p + 1 : nullptr;
  }
  return read_long_tag(p, end, tag);
}

// Over the value of a field whose tag has been read.
inline Ptr skip_value(Ptr p, Ptr end, std::uint32_t tag) noexcept {
  switch (type_of(tag)) {
    case Type::kVarint:
      return skip_varint(p, end);
    case Type::kFixed64:
      return left(p, end) >= 8 ? p + 8 : nullptr;
    case Type::kFixed32:
      return left(p, end) >= 4 ? p + 4 : nullptr;
    case Type::kLength: {
      std::size_t size = 0;
      Ptr q = read_length(p, end, size);
      return q == nullptr ? nullptr : q + size;
    }
  }
  return nullptr;  // Groups and the two unassigned types.
}

// Any one field, and for a length-delimited one its content.
struct Field {
  std::uint32_t tag = 0;
  Ptr begin = nullptr;  // Start of the content (behind tag and length).
  Ptr end = nullptr;
  std::string_view bytes() const noexcept { return view_of(begin, end); }
};
inline Ptr read_field(Ptr p, Ptr end, Field& field) noexcept {
  p = read_tag(p, end, field.tag);
  if (p == nullptr) return nullptr;
  field.begin = p;
  if (type_of(field.tag) == Type::kLength) {
    std::size_t size = 0;
    field.begin = read_length(p, end, size);
    field.end = field.begin == nullptr ? nullptr : field.begin + size;
  } else {
    field.end = skip_value(p, end, field.tag);
  }
  return field.end;
}
// The value of a varint field that read_field() has found.
inline std::uint64_t varint_of(const Field& field) noexcept {
  std::uint64_t value = 0;
  read_varint(field.begin, field.end, value);
  return value;
}

// --- Writing ---

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}
// A message of `body` bytes with a one-byte tag and its length.
constexpr std::size_t framed_size(std::size_t body) noexcept {
  return 1 + varint_size(body) + body;
}

inline char* put_varint(char* out, std::uint64_t value) noexcept {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}
inline char* put_bytes(char* out, std::string_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}
// Tag (one byte) and length of a message.
inline char* put_header(char* out, std::uint32_t tag, std::size_t body) noexcept {
  *out++ = static_cast<char>(tag);
  return put_varint(out, body);
}

// Appends fields to a buffer. The length of a message is written when it ends. External lock;
// `out` outlives the writer.
class Writer {
 public:
  explicit Writer(Bytes& out) noexcept : out_(out) {}

  void varint(std::uint32_t field, std::uint64_t value) {
    char text[20];
    char* end = put_varint(text, make_tag(field, Type::kVarint));
    append(text, put_varint(end, value));
  }
  void fixed64(std::uint32_t field, std::uint64_t value) {
    char text[13];
    char* end = put_varint(text, make_tag(field, Type::kFixed64));
    std::memcpy(end, &value, sizeof(value));
    append(text, end + sizeof(value));
  }
  void fixed32(std::uint32_t field, std::uint32_t value) {
    char text[9];
    char* end = put_varint(text, make_tag(field, Type::kFixed32));
    std::memcpy(end, &value, sizeof(value));
    append(text, end + sizeof(value));
  }
  void real(std::uint32_t field, double value) {
    fixed64(field, std::bit_cast<std::uint64_t>(value));
  }
  void bytes(std::uint32_t field, std::string_view value) {
    char text[15];
    char* end = put_varint(text, make_tag(field, Type::kLength));
    append(text, put_varint(end, value.size()));
    out_.append(value);
  }

  // begin() ... end() enclose a message. One byte is kept for the length; a body of 128 bytes and
  // more is moved up by what is missing, once per level.
  using Mark = std::size_t;
  Mark begin(std::uint32_t field) {
    char text[6];
    char* end = put_varint(text, make_tag(field, Type::kLength));
    *end++ = 0;
    append(text, end);
    return out_.size();
  }
  void end(Mark mark) {
    const std::size_t body = out_.size() - mark;
    const std::size_t extra = varint_size(body) - 1;
    if (extra > 0) {
      out_.resize(out_.size() + extra);
      std::memmove(out_.data() + mark + extra, out_.data() + mark, body);
    }
    put_varint(out_.data() + mark - 1, body);
  }

 private:
  void append(const char* begin, const char* end) {
    out_.append({begin, static_cast<std::size_t>(end - begin)});
  }
  Bytes& out_;
};

}  // namespace spanway::otlp::wire
