// Records of one partition that were left in Kafka, or given back to it, and are to be read again:
// by tenant, as stretches of offsets.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/kafka-bridge/consume/offset_tracker.h"

namespace spanway::kafka_bridge {

// Single-thread. Everything of the tenant that lies in one of its stretches is not settled, and no
// batch in memory has it. Bound: the batches that a lane has given back, and one stretch without an
// end for each tenant.
class UnreadRecords {
 public:
  // `last` of a stretch that ends where the partition has been read to.
  static constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
  // Increasing, disjoint, none empty.
  using Stretches = std::vector<OffsetRange>;
  using Tenants = std::map<std::string, Stretches, std::less<>>;

  bool empty() const noexcept { return tenants_.empty(); }
  const Tenants& tenants() const noexcept { return tenants_; }
  bool contains(std::string_view tenant) const { return tenants_.find(tenant) != tenants_.end(); }
  // The stretch that holds the offset; null when there is none.
  const OffsetRange* find(std::string_view tenant, std::int64_t offset) const;
  // The tenant has a stretch without an end: none of its new records may be taken.
  bool without_end(std::string_view tenant) const;
  // A stretch apart from all others of the tenant.
  void add(const std::string& tenant, OffsetRange stretch);
  // Everything from there on, with the stretches that begin behind it.
  void add_from(const std::string& tenant, std::int64_t first);
  // Records below `offset` are in memory again.
  void take_over(std::string_view tenant, std::int64_t offset);
  void erase(std::string_view tenant);

 private:
  Tenants tenants_;
};

}  // namespace spanway::kafka_bridge
