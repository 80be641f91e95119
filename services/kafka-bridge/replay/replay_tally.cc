#include "services/kafka-bridge/replay/replay_tally.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "services/lib/base/rfc3339.h"

namespace spanway::kafka_bridge {
namespace {

std::string time_text(std::int64_t ms) {
  return to_rfc3339(SystemTime(std::chrono::milliseconds(ms)));
}

}  // namespace

void ReplayTally::add(const kafka::StoredRecord& record, std::uint64_t items) {
  std::tuple<std::string, std::string> key{
      record.header("spanway-error").substr(0, kReasonBytesMax), record.header("spanway-tenant")};
  if (groups_.size() >= kGroupsMax && groups_.count(key) == 0) key = {"others", ""};
  Group& group = groups_[std::move(key)];
  const std::int64_t time = record.timestamp_ms;
  group.first_ms = group.records == 0 ? time : std::min(group.first_ms, time);
  group.last_ms = std::max(group.last_ms, time);
  ++group.records;
  group.items += items;
  group.bytes += record.value.size();
  if (!record.header("spanway-rejected").empty()) ++group.copies;
}

void ReplayTally::write(JsonWriter& json) const {
  std::vector<const decltype(groups_)::value_type*> sorted;
  for (const auto& group : groups_) sorted.push_back(&group);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->second.records > b->second.records;
  });
  json.begin_array();
  for (const auto* entry : sorted) {
    const auto& [reason, tenant] = entry->first;
    const Group& group = entry->second;
    json.begin_object()
        .member("reason", reason)
        .member("tenant", tenant)
        .member("records", group.records)
        .member("items", group.items)
        .member("bytes", group.bytes)
        .member("copies", group.copies)
        .member("first", time_text(group.first_ms))
        .member("last", time_text(group.last_ms))
        .end_object();
  }
  json.end_array();
}

}  // namespace spanway::kafka_bridge
