// The partitions that the group has assigned to this consumer and whose start offsets are being
// looked up. Private to services/lib/kafka.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "services/lib/kafka/consumer.h"

namespace spanway::kafka {

// The group may change the assignment again before a lookup has ended: each partition waits for the
// lookup that it was added with, whatever the group assigns or revokes meanwhile. Single-thread.
// Bound: the partitions of the assignment.
class PendingStarts {
 public:
  // The number of the lookup of these.
  std::uint64_t add(const std::vector<TopicPartition>& partitions);
  // Those that still wait for this lookup.
  std::vector<TopicPartition> of(std::uint64_t lookup) const;
  // Their start is known, or they were revoked.
  void remove(const std::vector<TopicPartition>& partitions);
  std::size_t size() const noexcept { return lookups_.size(); }

 private:
  std::map<TopicPartition, std::uint64_t> lookups_;
  std::uint64_t last_ = 0;
};

}  // namespace spanway::kafka
