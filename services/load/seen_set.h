// Which numbers of one run have arrived: a bitmap that grows where numbers come in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace spanway::load {

// External lock. At most 2^32 numbers (512 MiB of bits); memory in steps of 8 KiB.
class SeenSet {
 public:
  static constexpr std::uint64_t kNumberMax = (std::uint64_t{1} << 32) - 1;

  // False when it was there already. `number` is at most kNumberMax.
  bool add(std::uint64_t number);
  // How many of `first` to `first + count - 1` are there.
  std::uint64_t count_in(std::uint64_t first, std::uint64_t count) const noexcept;
  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t highest() const noexcept { return highest_; }

 private:
  static constexpr std::size_t kChunkBits = 1u << 16;
  using Chunk = std::array<std::uint64_t, kChunkBits / 64>;

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint64_t size_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace spanway::load
