// Configuration of a consumer. Transport-free: the operator checks it without librdkafka.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"

namespace spanway::kafka {

struct ConsumerConfig {
  std::string group;
  // Stable per replica (the pod's name): a restart in place then costs no rebalance. A second
  // process with the same id is fenced off, which is fatal.
  std::string group_instance_id;
  // The start of a group that has never committed; it is committed at once.
  enum class StartFrom { kLatest, kEarliest } start_from = StartFrom::kLatest;
  enum class Isolation { kReadUncommitted, kReadCommitted } isolation = Isolation::kReadCommitted;
  // Brokers take 9 s to give up one of theirs; a group whose coordinator crashes must outlast that
  // and the election. Measured with kill -9 of the coordinator of three: 6 s and 10 s cost every
  // member its partitions for 12 to 18 s, 12 s and more none. A restart in place does not wait for
  // it (group_instance_id).
  Duration session_timeout = std::chrono::seconds(20);
  Duration heartbeat_interval = std::chrono::milliseconds(1500);
  // librdkafka's prefetch. Memory: (prefetch + partition_fetch) per partition + one fetch.
  config::ByteSize prefetch_bytes_max{1u << 20};
  config::ByteSize partition_fetch_bytes_max{1u << 20};
  config::ByteSize fetch_bytes_max{16u << 20};
  // Partitions that are expected to be assigned to one process at most; for the memory check.
  std::int64_t partitions_max = 32;
  // Set by the caller, not by the configuration: each topic has another beside it, of its name and
  // this suffix, on which the group may commit (start_markers.h). Empty = none.
  std::string marker_suffix;
  // Set by the caller, too: the delay between the first event of a queue and
  // reading all partitions together. One wake-up instead of one per partition and fetch.
  Duration read_delay{};
};
void describe(config::Binder& b, ConsumerConfig& c);
void validate(const ConsumerConfig& c, config::Problems& problems);

// The most that librdkafka buffers for `partitions` partitions.
constexpr std::uint64_t prefetch_bytes(const ConsumerConfig& c, std::uint64_t partitions) noexcept {
  return partitions * (c.prefetch_bytes_max.bytes + c.partition_fetch_bytes_max.bytes) +
         c.fetch_bytes_max.bytes;
}

// The share of the last fetch of all partitions in it.
constexpr std::uint64_t fetched_bytes(const ConsumerConfig& c, std::uint64_t partitions) noexcept {
  return partitions * c.partition_fetch_bytes_max.bytes + c.fetch_bytes_max.bytes;
}

}  // namespace spanway::kafka
