#include "services/load/seen_set.h"

#include <algorithm>
#include <bit>

#include "services/lib/base/check.h"

namespace spanway::load {

bool SeenSet::add(std::uint64_t number) {
  SPANWAY_CHECK(number <= kNumberMax);
  const auto chunk = static_cast<std::size_t>(number / kChunkBits);
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
  std::uint64_t& word = (*chunks_[chunk])[number % kChunkBits / 64];
  const std::uint64_t bit = std::uint64_t{1} << (number % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  ++size_;
  highest_ = std::max(highest_, number);
  return true;
}

std::uint64_t SeenSet::count_in(std::uint64_t first, std::uint64_t count) const noexcept {
  std::uint64_t found = 0;
  // Word by word; the first and the last one in part.
  for (std::uint64_t number = first; number - first < count;) {
    const std::uint64_t bit = number % 64;
    const std::uint64_t bits = std::min(64 - bit, count - (number - first));
    const auto chunk = static_cast<std::size_t>(number / kChunkBits);
    if (chunk >= chunks_.size()) break;
    if (chunks_[chunk] != nullptr) {
      const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
      const std::uint64_t word = (*chunks_[chunk])[number % kChunkBits / 64];
      found += static_cast<std::uint64_t>(std::popcount(word >> bit & mask));
    }
    number += bits;
  }
  return found;
}

}  // namespace spanway::load
