// Comparing secrets without revealing, by the time it takes, how much of a guess was right.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "services/lib/base/random.h"

namespace spanway::auth {

// SipHash-2-4 (Aumasson and Bernstein, 2012) under two keys that an attacker cannot know: 128 bits
// that reveal nothing about the input. Immutable.
class KeyedHash {
 public:
  using Key = std::array<std::uint64_t, 4>;
  using Digest = std::array<std::uint64_t, 2>;
  explicit KeyedHash(const Key& key) noexcept : key_(key) {}
  static Key make_key(Random& random) noexcept;
  Digest operator()(std::string_view text) const noexcept;

 private:
  Key key_;
};

// SipHash-2-4 with the published 128-bit key and 64-bit result.
std::uint64_t siphash(std::uint64_t key0, std::uint64_t key1, std::string_view text) noexcept;

// Takes the same time wherever the two differ; lengths are not secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace spanway::auth
