// Which partition an item belongs to: the Java Kafka client's default partitioner for a record
// whose key is the lower-case hex trace id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spanway::otlp {

inline constexpr std::size_t kTraceIdBytes = 16;
inline constexpr std::size_t kTraceIdHexChars = 2 * kTraceIdBytes;

// Kafka's murmur2 (seed 0x9747b28c), as org.apache.kafka.common.utils.Utils.murmur2.
std::uint32_t murmur2(std::string_view bytes) noexcept;
// murmur2(lower-case hex of the 16 raw bytes) & 0x7fffffff.
std::uint32_t trace_placement_hash(std::string_view trace_id_bytes) noexcept;
// Writes the 32 lower-case digits of the 16 raw bytes; no terminating NUL.
void write_trace_id_hex(const char* trace_id_bytes, char* out) noexcept;
// `partition_count` is at least 1.
constexpr std::int32_t partition_of(std::uint32_t placement_hash,
                                    std::int32_t partition_count) noexcept {
  return static_cast<std::int32_t>(placement_hash % static_cast<std::uint32_t>(partition_count));
}

}  // namespace spanway::otlp
