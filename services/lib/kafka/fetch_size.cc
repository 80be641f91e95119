#include "services/lib/kafka/fetch_size.h"

#include <algorithm>

namespace spanway::kafka {
namespace {

// A ratio needs at least this much: an empty response has a header, too.
constexpr std::uint64_t kWindowBytes = 8 * 1024;
// Or so much decompressed: with the headers of responses the ratio is no less than what is
// measured.
constexpr std::uint64_t kWindowDecompressedBytes = 32 * kWindowBytes;
// A falling ratio is smoothed, a rising one applies at once.
constexpr double kFall = 0.2;
// Every partition may have one fetch in flight that was sized before the last ratio was known.
constexpr double kHeadroom = 1.5;
constexpr std::uint64_t kGrowth = 2;

}  // namespace

FetchSize::FetchSize(FetchSizeLimits limits) noexcept
    : limits_(limits), bytes_(std::min(kFirstBytes, limits.fetch_bytes_max)) {}

std::uint64_t FetchSize::observe(std::uint64_t wire_bytes, std::uint64_t decompressed_bytes,
                                 std::size_t partitions) noexcept {
  // Estimates of what is queued may go down.
  decompressed_before_ = std::min(decompressed_before_, decompressed_bytes);
  const std::uint64_t wire = wire_bytes - std::min(wire_before_, wire_bytes);
  const std::uint64_t decompressed = decompressed_bytes - decompressed_before_;
  if (wire == 0 || (wire < kWindowBytes && decompressed < kWindowDecompressedBytes)) return bytes_;
  const double measured = static_cast<double>(decompressed) / static_cast<double>(wire);
  ratio_ = measured >= ratio_ ? measured : ratio_ + kFall * (measured - ratio_);
  wire_before_ = wire_bytes;
  decompressed_before_ = decompressed_bytes;
  // Bytes that are fetched and not decompressed yet lower the ratio: so a fetch grows step by step,
  // and shrinks at once.
  const std::uint64_t most = std::min(limits_.fetch_bytes_max, bytes_ * kGrowth);
  const auto share = static_cast<double>(limits_.share_bytes);
  const double factor =
      std::max(ratio_, 1.0) * static_cast<double>(std::max<std::size_t>(partitions, 1));
  if (factor * static_cast<double>(limits_.partition_bytes_max) <= share) return bytes_ = most;
  const auto fits = static_cast<std::uint64_t>(share / (kHeadroom * factor));
  return bytes_ = std::clamp(fits, std::min(kLeastBytes, limits_.fetch_bytes_max), most);
}

}  // namespace spanway::kafka
