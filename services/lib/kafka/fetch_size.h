// Adapts the fetch size so that the decompressed prefetch of librdkafka stays within its share of
// memory: brokers count the bytes of a fetch as stored, and a compression of 10:1 is ordinary.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanway::kafka {

struct FetchSizeLimits {
  // As configured: of a fetch, and of one partition in it.
  std::uint64_t fetch_bytes_max = 16u << 20;
  std::uint64_t partition_bytes_max = 1u << 20;
  // Limit of the last fetch of all partitions, decompressed.
  std::uint64_t share_bytes = 48u << 20;
};

// Single-thread; does nothing itself.
class FetchSize {
 public:
  // A broker returns one batch whatever the limit. Equal records compress to a few hundred bytes a
  // batch, so that 16 KiB can hold fifty batches of megabytes.
  static constexpr std::uint64_t kLeastBytes = 1024;
  // The compression ratio is unknown before the first bytes.
  static constexpr std::uint64_t kFirstBytes = kLeastBytes;

  explicit FetchSize(FetchSizeLimits limits) noexcept;

  // `wire_bytes` were fetched and decompressed to `decompressed_bytes` of records, both since the
  // start; `partitions` are assigned. Returns the fetch size from now on.
  std::uint64_t observe(std::uint64_t wire_bytes, std::uint64_t decompressed_bytes,
                        std::size_t partitions) noexcept;
  std::uint64_t bytes() const noexcept { return bytes_; }
  // Recent ratio of decompressed to fetched bytes; 0 = unknown yet.
  double ratio() const noexcept { return ratio_; }

 private:
  const FetchSizeLimits limits_;
  std::uint64_t bytes_;
  double ratio_ = 0;
  // At the start of the current window.
  std::uint64_t wire_before_ = 0, decompressed_before_ = 0;
};

}  // namespace spanway::kafka
