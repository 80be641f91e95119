// How much one fetch may bring, so that what librdkafka holds decompressed stays within its share
// of memory: brokers count the bytes of a fetch as they are stored, and 10:1 is ordinary there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanway::kafka {

struct FetchSizeLimits {
  // As configured: of a fetch, and of one partition in it.
  std::uint64_t fetch_bytes_max = 16u << 20;
  std::uint64_t partition_bytes_max = 1u << 20;
  // What the last fetch of all partitions may come to, decompressed.
  std::uint64_t share_bytes = 48u << 20;
};

// Single-thread; does nothing itself.
class FetchSize {
 public:
  // A broker gives the first batch of a partition whatever the limit, so less saves little.
  static constexpr std::uint64_t kLeastBytes = 16 * 1024;
  // Before the first bytes were seen nothing is known of the ratio, which can be 250:1.
  static constexpr std::uint64_t kFirstBytes = kLeastBytes;

  explicit FetchSize(FetchSizeLimits limits) noexcept;

  // `wire_bytes` have been fetched and `decompressed_bytes` of records have come of it, both since
  // the start; `partitions` are assigned. Returns what a fetch may bring from now on.
  std::uint64_t observe(std::uint64_t wire_bytes, std::uint64_t decompressed_bytes,
                        std::size_t partitions) noexcept;
  std::uint64_t bytes() const noexcept { return bytes_; }
  // Decompressed over fetched, of late; 0 = not known yet.
  double ratio() const noexcept { return ratio_; }

 private:
  const FetchSizeLimits limits_;
  std::uint64_t bytes_;
  double ratio_ = 0;
  // Of the window being watched.
  std::uint64_t wire_before_ = 0, decompressed_before_ = 0;
};

}  // namespace spanway::kafka
