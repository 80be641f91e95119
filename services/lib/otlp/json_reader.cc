#include "services/lib/otlp/json_reader.h"

#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>

#include "services/lib/base/hex.h"
#endif

namespace spanway::otlp {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Can a string hold this byte as it is?
bool is_plain(char c) noexcept {
  return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
}

// The first byte in [at, end) that is not plain, or `end`.
const char* find_special(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // There is no unsigned "at most": the minimum of a byte and the bound is the byte itself.
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i special = _mm_or_si128(
        control, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const auto bits = static_cast<unsigned>(_mm_movemask_epi8(special));
    if (bits != 0) return at + std::countr_zero(bits);
  }
#endif
  while (at < end && is_plain(*at)) ++at;
  return at;
}

// The end of the number that starts at `at`, or nullptr.
const char* number_end(const char* at, const char* end) noexcept {
  const auto digits = [&] {
    const char* start = at;
    while (at < end && is_digit(*at)) ++at;
    return at > start;
  };
  if (at < end && *at == '-') ++at;
  if (at < end && *at == '0') {
    ++at;
  } else if (!digits()) {
    return nullptr;
  }
  if (at < end && *at == '.') {
    ++at;
    if (!digits()) return nullptr;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return nullptr;
  }
  return at;
}

unsigned hex4(const char* at) noexcept {
  unsigned unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit * 16 + static_cast<unsigned>(hex_value(at[i]));
  return unit;
}

constexpr unsigned kReplacement = 0xfffd;

bool is_high_surrogate(unsigned unit) noexcept { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(unsigned unit) noexcept { return unit >= 0xdc00 && unit < 0xe000; }

// True when the escape of a low surrogate is at `at`.
bool low_surrogate_follows(const char* at, const char* end) noexcept {
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return false;
  for (int i = 2; i < 6; ++i)
    if (hex_value(at[i]) < 0) return false;
  return is_low_surrogate(hex4(at + 2));
}

char* put_utf8(unsigned point, char* out) noexcept {
  const auto put = [&](unsigned byte) { *out++ = static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | (point >> 6));
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3f));
    put(0x80 | ((point >> 6) & 0x3f));
    put(0x80 | (point & 0x3f));
  }
  return out;
}

}  // namespace

bool JsonReader::fail(const char* problem) noexcept {
  if (problem_ == nullptr) problem_ = problem;
  return false;
}

void JsonReader::skip_space() noexcept {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
}

JsonReader::Next JsonReader::peek() noexcept {
  skip_space();
  if (at_ == end_) return Next::kOther;
  switch (*at_) {
    case '{':
      return Next::kObject;
    case '[':
      return Next::kArray;
    case '"':
      return Next::kString;
    case 't':
      return Next::kTrue;
    case 'f':
      return Next::kFalse;
    case 'n':
      return Next::kNull;
    default:
      return *at_ == '-' || is_digit(*at_) ? Next::kNumber : Next::kOther;
  }
}

bool JsonReader::open(char bracket) noexcept {
  if (problem_ != nullptr) return false;
  skip_space();
  if (at_ == end_) return fail("the text ends where a value is due");
  if (*at_ != bracket) return fail(bracket == '{' ? "an object is due" : "an array is due");
  if (depth_ == depth_max_) return fail("objects and arrays nest too deep");
  ++at_;
  ++depth_;
  just_opened_ = true;
  return true;
}

bool JsonReader::open_object() noexcept { return open('{'); }
bool JsonReader::open_array() noexcept { return open('['); }

bool JsonReader::next_entry(char closing) noexcept {
  if (problem_ != nullptr) return false;
  skip_space();
  if (at_ == end_) return fail("the text ends inside an object or array");
  const bool first = just_opened_;
  just_opened_ = false;
  if (*at_ == closing) {
    ++at_;
    --depth_;
    return false;
  }
  if (first) return true;
  if (*at_ != ',') return fail(closing == '}' ? "',' or '}' is due" : "',' or ']' is due");
  ++at_;
  skip_space();
  return true;
}

bool JsonReader::next_member(JsonString& key) noexcept {
  if (!next_entry('}')) return false;
  if (at_ == end_ || *at_ != '"') return fail("a name in quotes is due");
  if (!read_string(key)) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("':' is due");
  ++at_;
  return true;
}

bool JsonReader::next_element() noexcept { return next_entry(']'); }

bool JsonReader::read_string(JsonString& out) noexcept {
  if (problem_ != nullptr) return false;
  skip_space();
  if (at_ == end_ || *at_ != '"') return fail("a string is due");
  const char* start = ++at_;
  out.escaped = false;
  out.lone_surrogates = 0;
  while (true) {
    at_ = find_special(at_, end_);
    if (at_ == end_) return fail("the text ends inside a string");
    if (*at_ == '"') break;
    if (*at_ != '\\') return fail("a control character in a string must be escaped");
    out.escaped = true;
    if (!read_escape(out)) return false;
  }
  out.raw = {start, static_cast<std::size_t>(at_ - start)};
  ++at_;
  return true;
}

bool JsonReader::read_hex4(unsigned& unit) noexcept {
  if (end_ - at_ < 4) return fail("the text ends inside a \\u escape");
  for (int i = 0; i < 4; ++i) {
    if (hex_value(at_[i]) < 0) return fail("\\u needs four hexadecimal digits");
  }
  unit = hex4(at_);
  at_ += 4;
  return true;
}

bool JsonReader::read_escape(JsonString& text) noexcept {
  ++at_;
  if (at_ == end_) return fail("the text ends inside a string");
  if (*at_ != 'u') {
    if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
      return fail("no such escape");
    }
    ++at_;
    return true;
  }
  ++at_;
  unsigned unit = 0;
  if (!read_hex4(unit)) return false;
  if (is_high_surrogate(unit) && low_surrogate_follows(at_, end_)) {
    at_ += 6;
  } else if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
    ++text.lone_surrogates;
  }
  return true;
}

std::size_t JsonReader::unescape(const JsonString& text, char* out) noexcept {
  const char* begin = out;
  const char* at = text.raw.data();
  const char* end = at + text.raw.size();
  while (at < end) {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    const char kind = at[1];
    at += 2;
    if (kind != 'u') {
      constexpr std::string_view kLetters = "bfnrt";
      const std::size_t letter = kLetters.find(kind);
      *out++ = letter == std::string_view::npos ? kind : "\b\f\n\r\t"[letter];
      continue;
    }
    unsigned point = hex4(at);
    at += 4;
    if (is_high_surrogate(point) && low_surrogate_follows(at, end)) {
      point = 0x10000 + ((point - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
      at += 6;
    } else if (is_high_surrogate(point) || is_low_surrogate(point)) {
      point = kReplacement;
    }
    out = put_utf8(point, out);
  }
  return static_cast<std::size_t>(out - begin);
}

bool JsonReader::read_number(std::string_view& out) noexcept {
  if (problem_ != nullptr) return false;
  skip_space();
  const char* start = at_;
  const char* end = number_end(at_, end_);
  if (end == nullptr) return fail("not a JSON number");
  at_ = end;
  out = {start, static_cast<std::size_t>(end - start)};
  // "01" and "1x" are no numbers, and no other value follows one directly.
  if (at_ < end_ && (is_digit(*at_) || *at_ == '.' || *at_ == '-' || *at_ == '+')) {
    return fail("not a JSON number");
  }
  return true;
}

bool JsonReader::is_number(std::string_view text) noexcept {
  return number_end(text.data(), text.data() + text.size()) == text.data() + text.size() &&
         !text.empty();
}

bool JsonReader::read_literal() noexcept {
  if (problem_ != nullptr) return false;
  const Next next = peek();
  const std::string_view word = next == Next::kTrue    ? "true"
                                : next == Next::kFalse ? "false"
                                                       : "null";
  if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
    return fail("not a JSON value");
  }
  at_ += word.size();
  return true;
}

bool JsonReader::skip_scalar(Next kind) noexcept {
  JsonString text;
  std::string_view number;
  switch (kind) {
    case Next::kString:
      return read_string(text);
    case Next::kNumber:
      return read_number(number);
    case Next::kTrue:
    case Next::kFalse:
    case Next::kNull:
      return read_literal();
    default:
      return fail(at_ == end_ ? "the text ends where a value is due" : "not a JSON value");
  }
}

bool JsonReader::skip_value(BracketStack& deep) {
  if (problem_ != nullptr) return false;
  constexpr std::size_t kWordBits = 64;
  std::uint64_t objects = 0;  // A bit for each open bracket, the innermost is the lowest.
  std::size_t open = 0;
  JsonString name;
  do {
    const Next kind = peek();
    if (kind == Next::kObject || kind == Next::kArray) {
      if (open > 0 && open % kWordBits == 0 && !deep.push(objects)) {
        return fail("objects and arrays nest too deep for the memory there is");
      }
      objects = objects << 1 | (kind == Next::kObject ? 1 : 0);
      ++open;
      ++at_;
      ++depth_;
      just_opened_ = true;
    } else if (!skip_scalar(kind)) {
      return false;
    }
    // To the next value, over the brackets that close.
    while (open > 0 && !((objects & 1) != 0 ? next_member(name) : next_element())) {
      if (problem_ != nullptr) return false;
      --open;
      objects = open > 0 && open % kWordBits == 0 ? deep.pop() : objects >> 1;
    }
  } while (open > 0);
  return true;
}

bool JsonReader::finish() noexcept {
  if (problem_ != nullptr) return false;
  skip_space();
  return at_ == end_ || fail("something follows the end of the request");
}

}  // namespace spanway::otlp
