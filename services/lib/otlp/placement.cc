#include "services/lib/otlp/placement.h"

#include "services/lib/base/check.h"
#include "services/lib/base/hex.h"
#include "services/lib/otlp/wire.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spanway::otlp {

std::uint32_t murmur2(std::string_view bytes) noexcept {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  const wire::Ptr data = wire::begin_of(bytes);
  const std::size_t words_size = bytes.size() & ~std::size_t{3};
  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  for (std::size_t i = 0; i < words_size; i += 4) {
    std::uint32_t word = wire::load32(data + i) * kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  if (bytes.size() != words_size) {
    std::uint32_t tail = 0;
    for (std::size_t i = bytes.size(); i-- > words_size;) tail = tail << 8 | data[i];
    hash = (hash ^ tail) * kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

void write_trace_id_hex(const char* trace_id_bytes, char* out) noexcept {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(trace_id_bytes));
  const __m128i low_four = _mm_set1_epi8(0x0f);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low_four);
  const __m128i low = _mm_and_si128(bytes, low_four);
  // '0' + digit, and for digits above 9 also the way from ':' to 'a'.
  const auto digits = [](__m128i nibbles) {
    const __m128i letters = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')),
                        _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10)));
  };
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), digits(_mm_unpacklo_epi8(high, low)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), digits(_mm_unpackhi_epi8(high, low)));
#else
  for (std::size_t i = 0; i < kTraceIdBytes; ++i) {
    const auto byte = static_cast<unsigned char>(trace_id_bytes[i]);
    out[2 * i] = kHexDigits[byte >> 4];
    out[2 * i + 1] = kHexDigits[byte & 0xf];
  }
#endif
}

std::uint32_t trace_placement_hash(std::string_view trace_id_bytes) noexcept {
  SPANWAY_CHECK(trace_id_bytes.size() == kTraceIdBytes);
  char hex[kTraceIdHexChars];
  write_trace_id_hex(trace_id_bytes.data(), hex);
  return murmur2({hex, kTraceIdHexChars}) & 0x7fffffff;
}

}  // namespace spanway::otlp
