// Joins the records of one partition to batches: serialized Export requests concatenate to their
// union, so joining is appending.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/pipeline/pieces.h"

namespace spanway::kafka_bridge {

// Where the items of one record begin inside a batch.
struct RecordPlace {
  std::uint64_t first_item = 0;
  std::int64_t offset = 0;
};

// Records of one tenant.
struct MergedBatch {
  std::string tenant;
  pipeline::Pieces payload;
  std::uint64_t item_count = 0;
  std::vector<RecordPlace> records;  // Records with items; increasing in both members.
  std::int64_t newest_timestamp_ms = 0;

  // The record that the given item came from.
  std::int64_t offset_of(std::uint64_t item) const noexcept;
};

// A contiguous run of records: everything from `first` to `last`, one batch per tenant in order of
// appearance. The same records always make the same range.
struct BatchRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t timestamp_ms = 0;  // The oldest record's; 0 when none has one.
  std::vector<MergedBatch> batches;
};

struct MergeLimits {
  std::size_t bytes_max = 3584u << 10;  // Per batch; a larger record is a batch of its own.
  std::uint64_t items_max = 50'000;     // Per batch.
  std::size_t tenants_max = 64;         // Per range.
  std::size_t records_max = 10'000;     // Per range.
};

// Single-thread. Holds one range being filled.
class BatchMerger {
 public:
  explicit BatchMerger(MergeLimits limits) : limits_(limits) {}

  bool empty() const noexcept { return records_ == 0; }
  // False: take() first. An empty range takes any record.
  bool fits(std::string_view tenant, std::size_t bytes, std::uint64_t items) const noexcept;
  // Bytes that the open range would hold with this record added, and the same again for the copy
  // that is sent.
  std::size_t bytes_with(std::string_view tenant, std::size_t bytes) const noexcept;
  std::size_t bytes_held() const noexcept;
  std::uint64_t item_count() const noexcept;
  // Offset of the tenant's first record with items; nothing when there is none.
  std::optional<std::int64_t> first_of(std::string_view tenant) const noexcept;
  void add(std::int64_t offset, std::int64_t timestamp_ms, std::string_view tenant,
           std::string_view payload, std::uint64_t items);
  // A record without a batch, whose offset belongs to the range.
  void skip(std::int64_t offset, std::int64_t timestamp_ms);
  std::int64_t first() const noexcept { return batch_range_.first; }
  std::int64_t last() const noexcept { return batch_range_.last; }
  std::int64_t timestamp_ms() const noexcept { return batch_range_.timestamp_ms; }
  // Not empty.
  BatchRange take();
  void clear();

 private:
  // A batch under construction. Its bytes lie in pieces that grow with it, so that none is ever
  // copied into a larger one.
  struct Filling {
    MergedBatch batch;
    Bytes open;  // The last piece.
    std::size_t closed_capacity = 0;

    std::size_t size() const noexcept { return batch.payload.size() + open.size(); }
    std::size_t capacity() const noexcept { return closed_capacity + open.capacity(); }
    void close();
  };

  const Filling* find(std::string_view tenant) const noexcept;
  // Capacity of the next piece, when `bytes` do not fit into the open one; else 0.
  std::size_t capacity_needed(const Filling* filling, std::size_t bytes) const noexcept;

  const MergeLimits limits_;
  BatchRange batch_range_;  // Without its batches.
  std::vector<Filling> fillings_;
  std::size_t records_ = 0;
};

}  // namespace spanway::kafka_bridge
