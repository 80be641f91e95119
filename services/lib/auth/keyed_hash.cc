#include "services/lib/auth/keyed_hash.h"

#include <bit>

namespace spanway::auth {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;
  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

std::uint64_t little_endian(const char* bytes, std::size_t count) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i)
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return word;
}

}  // namespace

std::uint64_t siphash(std::uint64_t key0, std::uint64_t key1, std::string_view text) noexcept {
  State state = {key0 ^ 0x736f6d6570736575ULL, key1 ^ 0x646f72616e646f6dULL,
                 key0 ^ 0x6c7967656e657261ULL, key1 ^ 0x7465646279746573ULL};
  std::size_t offset = 0;
  for (; offset + 8 <= text.size(); offset += 8)
    state.absorb(little_endian(text.data() + offset, 8));
  const std::uint64_t length = static_cast<std::uint64_t>(text.size() & 0xff) << 56;
  state.absorb(length | little_endian(text.data() + offset, text.size() - offset));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

KeyedHash::Key KeyedHash::make_key(Random& random) noexcept {
  Key key;
  for (std::uint64_t& word : key) word = random.next();
  return key;
}

KeyedHash::Digest KeyedHash::operator()(std::string_view text) const noexcept {
  return {siphash(key_[0], key_[1], text), siphash(key_[2], key_[3], text)};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  return difference == 0;
}

}  // namespace spanway::auth
