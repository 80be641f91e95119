// Counts the bytes of fetch responses as transferred, and changes the fetch size of a running
// consumer. Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <cstdint>

#include "services/lib/base/result.h"
#include "services/lib/kafka/native.h"

namespace spanway::kafka {

// Thread-safe after attach(). Outlives the handle created from the configuration.
class FetchMeter {
 public:
  // Before the handle is created.
  Status attach(native::Conf& conf);
  // Sum over all fetch responses since the start.
  std::uint64_t wire_bytes() const noexcept { return wire_bytes_.load(std::memory_order_relaxed); }
  void add(std::uint64_t bytes) noexcept {
    wire_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> wire_bytes_{0};
};

// Changes fetch.max.bytes of a running consumer: the limit of its next fetch request. Thread-safe.
void set_fetch_bytes(rd_kafka_s* handle, std::uint64_t bytes) noexcept;

}  // namespace spanway::kafka
