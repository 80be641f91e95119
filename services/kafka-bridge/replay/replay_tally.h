// Counts of what a replay would send: `replay --dry-run`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "services/lib/base/json_writer.h"
#include "services/lib/kafka/range_reader.h"

namespace spanway::kafka_bridge {

// External lock. Bound: 1000 pairs of reason and tenant; what comes after is one group, "others".
class ReplayTally {
 public:
  static constexpr std::size_t kGroupsMax = 1000;
  static constexpr std::size_t kReasonBytesMax = 200;

  void add(const kafka::StoredRecord& record, std::uint64_t items);
  // An array, the group with the most records first.
  void write(JsonWriter& json) const;

 private:
  struct Group {
    std::uint64_t records = 0, items = 0, bytes = 0;
    std::uint64_t copies = 0;  // Copies of batches of which the destination has accepted a part.
    std::int64_t first_ms = 0, last_ms = 0;
  };
  std::map<std::tuple<std::string, std::string>, Group> groups_;  // By reason and tenant.
};

}  // namespace spanway::kafka_bridge
