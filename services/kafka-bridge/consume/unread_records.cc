#include "services/kafka-bridge/consume/unread_records.h"

#include <algorithm>

namespace spanway::kafka_bridge {

const OffsetRange* UnreadRecords::find(std::string_view tenant, std::int64_t offset) const {
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) return nullptr;
  for (const OffsetRange& stretch : found->second) {
    if (offset >= stretch.first && offset <= stretch.last) return &stretch;
  }
  return nullptr;
}

bool UnreadRecords::without_end(std::string_view tenant) const {
  const auto found = tenants_.find(tenant);
  return found != tenants_.end() && found->second.back().last == kNoEnd;
}

void UnreadRecords::add(const std::string& tenant, OffsetRange stretch) {
  Stretches& stretches = tenants_[tenant];
  stretches.insert(std::upper_bound(stretches.begin(), stretches.end(), stretch), stretch);
}

void UnreadRecords::add_from(const std::string& tenant, std::int64_t first) {
  Stretches& stretches = tenants_[tenant];
  while (!stretches.empty() && stretches.back().last >= first) {
    first = std::min(first, stretches.back().first);
    stretches.pop_back();
  }
  stretches.push_back({first, kNoEnd});
}

void UnreadRecords::take_over(std::string_view tenant, std::int64_t offset) {
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) return;
  Stretches& stretches = found->second;
  std::erase_if(stretches, [offset](const OffsetRange& s) { return s.last < offset; });
  if (stretches.empty()) {
    tenants_.erase(found);
  } else {
    stretches.front().first = std::max(stretches.front().first, offset);
  }
}

void UnreadRecords::erase(std::string_view tenant) {
  const auto found = tenants_.find(tenant);
  if (found != tenants_.end()) tenants_.erase(found);
}

}  // namespace spanway::kafka_bridge
