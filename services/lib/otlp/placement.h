// Which partition an item belongs to: the Java Kafka client's default partitioner for a record
// whose key is the lower-case hex trace id.
#pragma once

#include <cstdint>
#include <string_view>

namespace spanway::otlp {

// Kafka's murmur2 (seed 0x9747b28c), as org.apache.kafka.common.utils.Utils.murmur2.
std::uint32_t murmur2(std::string_view bytes) noexcept;
// murmur2(lower-case hex of the 16 raw bytes) & 0x7fffffff.
std::uint32_t trace_placement_hash(std::string_view trace_id_bytes) noexcept;
constexpr std::int32_t partition_of(std::uint32_t placement_hash, std::int32_t partition_count) noexcept {
  return static_cast<std::int32_t>(placement_hash % static_cast<std::uint32_t>(partition_count));
}

}  // namespace spanway::otlp
