// The metadata of a partition's offset commits: which records at and behind the committed offset
// are settled, so that they are not delivered again, and which batch ranges are planned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/kafka-bridge/consume/offset_tracker.h"

namespace spanway::kafka_bridge {

// Brokers refuse metadata above 4096 bytes (offset.metadata.max.bytes).
inline constexpr std::size_t kNoteBytesMax = 4000;
inline constexpr std::size_t kNoteRangesMax = 96;

// Items of one batch, in units of delivery.
struct ItemRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t end() const noexcept { return first + count; }
  bool operator==(const ItemRange&) const = default;
};

// A batch of a range of which items are neither delivered nor dead-lettered.
struct OpenBatch {
  std::string tenant;
  // Items of the batch when it was read. When the next reading finds another number, `open` is
  // ignored.
  std::uint64_t item_count = 0;
  std::vector<ItemRange> open;  // Increasing, not empty.
  bool operator==(const OpenBatch&) const = default;
};

// Records that are only partly settled.
struct OpenRange {
  OffsetRange offsets;
  // Set when a part of the range is settled: all but these batches, and all dead letters of single
  // records but those of `letters` (offsets).
  struct Parts {
    std::vector<OpenBatch> batches;
    std::vector<std::int64_t> letters;
    bool operator==(const Parts&) const = default;
  };
  std::optional<Parts> parts;
  bool operator==(const OpenRange&) const = default;
};

// The records of one tenant between two offsets, as one batch that is not settled.
struct TenantBatch {
  OffsetRange offsets;
  OpenBatch batch;
  bool operator==(const TenantBatch&) const = default;
};
inline TenantBatch unsplit_batch(std::string tenant, OffsetRange offsets, std::uint64_t items) {
  return {offsets, {std::move(tenant), items, {{0, items}}}};
}

// Every record below `end` is settled, except those in `ranges` (by increasing first offset), those
// of `tenants` from the given offset on, and those of `batches`. No item is named twice: a record
// of a tenant that `tenants` or `batches` name does not belong to the ranges around it. A range of
// one record may lie inside another: its dead letter, apart from its items. In a plan (batch
// identity) each range without parts is one batch range.
struct CommitNote {
  std::int64_t end = 0;
  std::vector<OpenRange> ranges;
  std::map<std::string, std::int64_t, std::less<>> tenants;
  std::vector<TenantBatch> batches;
  bool operator==(const CommitNote&) const = default;
};

// "" when nothing beyond the committed `offset` is settled. `offset` is not above any exception.
std::string encode_commit_note(const CommitNote& note, std::int64_t offset);

// Nothing when it is none of ours, or does not continue from `offset`: then everything from there
// on is read. Reads the plans of version 0.1.0 as well.
std::optional<CommitNote> parse_commit_note(std::string_view metadata, std::int64_t offset);

}  // namespace spanway::kafka_bridge
