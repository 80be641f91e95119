// How far a replay has come, in a file, so that it resumes after any end. A file and no commits of
// a group: no right on a group is needed, and no group of a destination moves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/kafka-bridge/replay/letter_joiner.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/range_reader.h"
#include "services/lib/sinks/file_ops.h"

namespace spanway::kafka_bridge {

struct ReplayCounts {
  std::uint64_t records = 0, items = 0;  // Accepted by the destination.
  std::uint64_t refused = 0;             // Records that were refused again, in whole or in part.
  std::uint64_t others = 0;              // Dead letters of other destinations: not sent.
  std::uint64_t empty = 0;               // Records without an item.
  std::uint64_t lost = 0;                // Offsets that were deleted before they were read.
  bool operator==(const ReplayCounts&) const = default;
};

struct ReplayState {
  static constexpr std::size_t kRefusedMax = 1000;

  std::string request;           // The command's topic, range and destination.
  std::int64_t saved_ms = 0;     // Since the epoch.
  kafka::OffsetRanges left;      // Settled below `begin`; partitions are replayed one by one.
  std::vector<OpenLetter> open;  // In the first partition of `left`; below its `begin`.
  ReplayCounts counts;
  std::vector<std::string> refused;  // "partition:offset" of the first kRefusedMax.
  bool operator==(const ReplayState&) const = default;
};

std::string to_text(const ReplayState& state);
// DATA: not the text of a state.
Result<ReplayState> parse_replay_state(std::string_view text);

// Blocks on the disk. After a crash at any moment the file has this state or the one before.
Status save_replay_state(sinks::FileOps& files, const std::string& path, const ReplayState& state);

}  // namespace spanway::kafka_bridge
