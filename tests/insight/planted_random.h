// Randomness of planted days and traces; the same for a seed on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/random.h"

namespace spanway::query::insight {

class PlantedRandom {
 public:
  explicit PlantedRandom(std::uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

  double unit() { return random_.next_unit(); }
  bool chance(double p) { return unit() < p; }
  double between(double low, double high) { return low + (high - low) * unit(); }
  // Both ends included.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(
                     random_.next_below(static_cast<std::uint64_t>(high - low + 1)));
  }
  double normal() {
    return std::sqrt(-2 * std::log(1 - unit())) * std::cos(2 * std::numbers::pi * unit());
  }
  // For large means, the normal distribution that is nearest.
  std::uint64_t poisson(double mean) {
    if (mean <= 0) return 0;
    if (mean > 30)
      return static_cast<std::uint64_t>(
          std::max(0.0, std::round(mean + std::sqrt(mean) * normal())));
    const double end = std::exp(-mean);
    std::uint64_t count = 0;
    for (double product = unit(); product > end; product *= unit()) ++count;
    return count;
  }
  template <typename T>
  const T& pick(const std::vector<T>& values) {
    return values[random_.next_below(values.size())];
  }
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t left = values.size(); left > 1; --left)
      std::swap(values[left - 1], values[random_.next_below(left)]);
  }
  std::string bytes(std::size_t count) {
    std::string result;
    for (std::size_t index = 0; index < count; ++index)
      result += static_cast<char>(random_.next_below(256));
    return result;
  }

 private:
  Random random_;
};

}  // namespace spanway::query::insight
