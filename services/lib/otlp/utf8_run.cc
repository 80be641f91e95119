#include "services/lib/otlp/utf8_run.h"

#include <simdjson.h>

#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spanway::otlp {
namespace {

using wire::Ptr;

#if defined(__SSE2__)
// One bit per byte: is it outside ASCII?
std::uint64_t non_ascii_bits(Ptr p) noexcept {
  return static_cast<std::uint32_t>(
      _mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
#endif

// Over one character that does not start with an ASCII byte; nullptr when it is broken.
Ptr skip_character(Ptr p, Ptr end) noexcept {
  const std::size_t room = wire::left(p, end);
  const auto continues = [p](std::size_t i) { return (p[i] & 0xc0) == 0x80; };
  const std::uint8_t first = p[0];
  if (first < 0xc2) return nullptr;
  if (first < 0xe0) return room >= 2 && continues(1) ? p + 2 : nullptr;
  if (first < 0xf0) {
    if (room < 3 || !continues(1) || !continues(2)) return nullptr;
    if (first == 0xe0 && p[1] < 0xa0) return nullptr;  // Over-long.
    if (first == 0xed && p[1] > 0x9f) return nullptr;  // Surrogates.
    return p + 3;
  }
  if (first > 0xf4 || room < 4 || !continues(1) || !continues(2) || !continues(3)) return nullptr;
  if (first == 0xf0 && p[1] < 0x90) return nullptr;  // Over-long.
  if (first == 0xf4 && p[1] > 0x8f) return nullptr;  // Above U+10FFFF.
  return p + 4;
}

// From here on simdjson's validator is worth its call; it uses what the processor has, we only what
// every x86-64 has.
constexpr std::size_t kLongText = 32;

}  // namespace

Ptr ascii_end(Ptr p, Ptr end) noexcept {
#if defined(__SSE2__)
  while (wire::left(p, end) >= 64) {
    const std::uint64_t bits = non_ascii_bits(p) | non_ascii_bits(p + 16) << 16 |
                               non_ascii_bits(p + 32) << 32 | non_ascii_bits(p + 48) << 48;
    if (bits != 0) return p + std::countr_zero(bits);
    p += 64;
  }
  while (wire::left(p, end) >= 16) {
    if (const std::uint64_t bits = non_ascii_bits(p); bits != 0) return p + std::countr_zero(bits);
    p += 16;
  }
#endif
  while (wire::left(p, end) >= 8) {
    const std::uint64_t bits = wire::load64(p) & 0x8080808080808080ULL;
    if (bits != 0) return p + (std::countr_zero(bits) >> 3);
    p += 8;
  }
  while (p != end && *p < 0x80) ++p;
  return p;
}

bool is_utf8(Ptr p, Ptr end) noexcept {
  while (true) {
    p = ascii_end(p, end);
    if (wire::left(p, end) >= kLongText)
      return simdjson::validate_utf8(reinterpret_cast<const char*>(p), wire::left(p, end));
    // Characters outside ASCII come in runs.
    while (p != end && *p >= 0x80) {
      p = skip_character(p, end);
      if (p == nullptr) return false;
    }
    if (p == end) return true;
    // A single space or comma between them is not worth a new sweep.
    for (int i = 0; i < 4 && p != end && *p < 0x80; ++i) ++p;
  }
}

bool Utf8Run::valid_outside(Ptr p, Ptr end) noexcept {
  if (p < run_end_) p = run_end_;
  run_end_ = ascii_end(p, buffer_end_);
  return end <= run_end_ || is_utf8(run_end_, end);
}

}  // namespace spanway::otlp
