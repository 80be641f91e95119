#include "services/lib/kafka/pending_starts.h"

namespace spanway::kafka {

std::uint64_t PendingStarts::add(const std::vector<TopicPartition>& partitions) {
  ++last_;
  for (const TopicPartition& partition : partitions) lookups_[partition] = last_;
  return last_;
}

std::vector<TopicPartition> PendingStarts::of(std::uint64_t lookup) const {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, number] : lookups_) {
    if (number == lookup) partitions.push_back(partition);
  }
  return partitions;
}

void PendingStarts::remove(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions) lookups_.erase(partition);
}

}  // namespace spanway::kafka
