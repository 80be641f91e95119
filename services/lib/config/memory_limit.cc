#include "services/lib/config/memory_limit.h"

#include <string>

namespace spanway::config {

void describe_memory_limit(Binder& b, ByteSize& limit) {
  constexpr double kTebibyte = 1024.0 * 1024 * 1024 * 1024;
  b.key(
      "memory_limit", limit,
      {.doc = "Memory of the process. The share of requests follows from it; beyond that, or above "
              "90 % of the limit as the kernel counts it, requests are refused as retryable. Set "
              "it to the container's limit or a little below.",
       .example = "512MiB",
       .min = static_cast<double>(kMemoryLimitMin),
       .max = kTebibyte});
}

std::string mebibytes(std::uint64_t bytes) {
  constexpr std::uint64_t kMebibyte = 1u << 20;
  return std::to_string((bytes + kMebibyte - 1) / kMebibyte) + " MiB";
}

}  // namespace spanway::config
