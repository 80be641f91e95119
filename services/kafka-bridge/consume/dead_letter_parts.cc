#include "services/kafka-bridge/consume/dead_letter_parts.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "services/lib/base/hex.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"

namespace spanway::kafka_bridge {
namespace {

// A record batch of format 2 has 61 bytes before its records; a record has lengths, a timestamp and
// an offset of at most 30.
constexpr std::size_t kBatchBytes = 61;
constexpr std::size_t kRecordBytes = 30;
constexpr std::size_t kHeaderLengthBytes = 10;
constexpr std::size_t kReserveBytes = 64;  // For what a later format may add.

// Bounds the index of the scan by the size of the letter.
constexpr std::size_t kBytesPerSubmessage = 16;
constexpr std::size_t kSubmessagesMin = 1000;

otlp::ScanLimits limits_for(std::size_t bytes) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  otlp::ScanLimits limits;
  limits.request_bytes_max = kNone;
  limits.prefix_bytes_max = kNone;
  limits.item_bytes_max = kNone;
  limits.value_depth_max = kNone;
  limits.submessages_max = std::max(kSubmessagesMin, bytes / kBytesPerSubmessage);
  return limits;
}

// 64-bit FNV-1a: a name has to be the same everywhere and at every time, and nothing more.
std::uint64_t mix(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

std::string letter_id(std::string_view origin, std::string_view payload) {
  std::uint64_t hash = mix(0xcbf29ce484222325ULL, origin);
  hash = mix(hash, std::string_view("\0", 1));
  hash = mix(hash, payload);
  return to_hex(hash);
}

std::string part_range(std::size_t begin, std::size_t end, std::size_t total) {
  return std::to_string(begin) + "-" + std::to_string(end - 1) + "/" + std::to_string(total);
}

std::size_t record_overhead(const RecordHeaders& headers) noexcept {
  std::size_t bytes = kBatchBytes + kRecordBytes + kReserveBytes;
  for (const auto& [name, value] : headers)
    bytes += name.size() + value.size() + kHeaderLengthBytes;
  return bytes;
}

std::vector<Bytes> divide_between_items(otlp::Signal signal, std::string_view payload,
                                        std::size_t part_bytes_max, Permit& permit) {
  // At most 28 bytes of index for 16 bytes of letter.
  if (!permit.grow_to(2 * payload.size())) return {};
  otlp::Scanner scanner(limits_for(payload.size()));
  if (!scanner.scan(signal, payload).ok() || scanner.index().rejected != 0) return {};
  const otlp::Index& index = scanner.index();
  const otlp::SplitOptions options{1, part_bytes_max, false};
  const std::size_t bytes = otlp::split_bytes(index, payload, options);
  if (bytes > 2 * payload.size() || !permit.grow_to(2 * payload.size() + bytes)) return {};
  std::vector<otlp::Part> divided = otlp::split(index, payload, options);
  if (divided.size() < 2) return {};
  std::vector<Bytes> parts;
  parts.reserve(divided.size());
  for (otlp::Part& part : divided) parts.push_back(std::move(part.payload));
  permit.shrink_to(bytes);
  return parts;
}

}  // namespace spanway::kafka_bridge
