// Randomness comes through the constructor, so that a test can repeat a run from its seed.
#pragma once

#include <cstdint>

namespace spanway {

// splitmix64: small, fast, good enough for jitter and sampling, never for secrets. External lock.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  // Seeded from the operating system.
  static Random from_entropy();

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double next_unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // In [0, bound); 0 when bound is 0.
  std::uint64_t next_below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace spanway
