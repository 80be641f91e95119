// `memory_limit`, the same key in every service: the memory of the process. How much of it is
// left for requests follows from it here, so that no service has a second number to get wrong.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/config/binder.h"

namespace spanway::config {

// The memory of a process before the first request: code, stacks, the buffers of its threads and
// libraries.
inline constexpr std::uint64_t kProcessBytes = 32u << 20;
inline constexpr std::uint64_t kMemoryLimitMin = 64u << 20;

// Binds `memory_limit`.
void describe_memory_limit(Binder& b, ByteSize& limit);

// The limit of all permits together when `reserved_bytes` are set aside for client libraries: three
// quarters of the rest, because an allocator holds more than was requested. 0 = nothing.
constexpr std::uint64_t request_budget(ByteSize limit, std::uint64_t reserved_bytes) noexcept {
  const std::uint64_t taken = kProcessBytes + reserved_bytes;
  return limit.bytes > taken ? (limit.bytes - taken) / 4 * 3 : 0;
}

// "300 MiB", rounded up: the same unit for every number of a message that adds them up.
std::string mebibytes(std::uint64_t bytes);

}  // namespace spanway::config
