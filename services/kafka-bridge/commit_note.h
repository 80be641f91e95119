// What stands in the metadata of a partition's offset commits: which records at and behind the
// committed offset are done, so that they are not delivered again, and which cuts are planned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/kafka-bridge/offset_tracker.h"

namespace spanway::kafka_bridge {

// Brokers refuse metadata above 4096 bytes (offset.metadata.max.bytes).
inline constexpr std::size_t kNoteBytesMax = 4000;
inline constexpr std::size_t kNoteRangesMax = 96;

// Every record below `end` is done, except those in `ranges` (increasing), and except those of
// `tenants` from the given offset on. In a plan (batch identity) each range is one cut.
struct CommitNote {
  std::int64_t end = 0;
  std::vector<OffsetRange> ranges;
  std::map<std::string, std::int64_t, std::less<>> tenants;
  bool operator==(const CommitNote&) const = default;
};

// "" when it says nothing beyond the committed `offset`. `offset` is not above any exception.
std::string encode_commit_note(const CommitNote& note, std::int64_t offset);

// Nothing when it is none of ours, or does not go on from `offset`: then everything from there on
// is read. Reads the plans of version 0.1.0 as well.
std::optional<CommitNote> parse_commit_note(std::string_view metadata, std::int64_t offset);

}  // namespace spanway::kafka_bridge
