// A pull reader for JSON (RFC 8259) over text that the caller owns. It copies nothing, needs no
// memory besides itself and what BracketStack gives it, and checks what is skipped as strictly as
// what is read. Strings may hold any bytes from 0x80 on, so the caller checks the UTF-8 of those
// that it keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spanway::otlp {

// A string of the text, between its quotes. Its escapes are already known to be right.
struct JsonString {
  std::string_view raw;
  bool escaped = false;
  // Escapes of half a surrogate pair. SDKs write one where they truncate a string at a length
  // limit.
  std::uint32_t lone_surrogates = 0;
};

// The memory of a skip that nests deeper than 64: one bit for each open bracket, 64 in a word.
class BracketStack {
 public:
  // False when there is no memory for it.
  virtual bool push(std::uint64_t word) = 0;
  virtual std::uint64_t pop() = 0;

 protected:
  ~BracketStack() = default;
};

// Single-thread. The text outlives this object. Every function that reads
// returns false, and reads nothing more, after the first mistake: then problem() is not null and
// offset() is where it was found.
class JsonReader {
 public:
  enum class Next : unsigned char {
    kObject,
    kArray,
    kString,
    kNumber,
    kTrue,
    kFalse,
    kNull,
    kOther,  // The end, or what no value begins with.
  };

  // `depth_max` bounds open objects and arrays, but for those that skip_value() opens.
  JsonReader(std::string_view text, std::size_t depth_max) noexcept
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), depth_max_(depth_max) {}

  // The kind of the next value; consumes only white space.
  Next peek() noexcept;

  // False: open_*() would fail, because `depth_max` are open.
  bool can_open() const noexcept { return depth_ < depth_max_; }
  // After open_*: next_* until it returns false, which is at the closing bracket or a mistake.
  bool open_object() noexcept;
  bool next_member(JsonString& key) noexcept;
  bool open_array() noexcept;
  bool next_element() noexcept;

  bool read_string(JsonString& out) noexcept;
  // The digits as they are in the text.
  bool read_number(std::string_view& out) noexcept;
  // After peek() returned kTrue, kFalse or kNull.
  bool read_literal() noexcept;
  // Any value, nested to any depth: without recursion, with an eighth of a byte of `deep` a level
  // beyond 64.
  bool skip_value(BracketStack& deep);
  // Nothing but white space is left.
  bool finish() noexcept;

  const char* problem() const noexcept { return problem_; }
  std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  // Writes the meaning of `text.raw`, at most text.raw.size() bytes, and returns how many. A lone
  // surrogate means U+FFFD, as in Go and JavaScript.
  static std::size_t unescape(const JsonString& text, char* out) noexcept;
  // True when all of `text` is one JSON number.
  static bool is_number(std::string_view text) noexcept;

 private:
  bool fail(const char* problem) noexcept;
  void skip_space() noexcept;
  bool open(char bracket) noexcept;
  // Moves to the next entry of an object or array; false at `closing` or a mistake.
  bool next_entry(char closing) noexcept;
  // A value that is neither an object nor an array.
  bool skip_scalar(Next kind) noexcept;
  bool read_escape(JsonString& text) noexcept;
  bool read_hex4(unsigned& unit) noexcept;

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* problem_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t depth_max_;
  bool just_opened_ = false;  // The bracket before: no comma is due.
};

}  // namespace spanway::otlp
