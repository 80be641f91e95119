#include "services/kafka-bridge/batch_merger.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {

std::int64_t MergedBatch::offset_of(std::uint64_t item) const noexcept {
  const auto behind = std::upper_bound(
      records.begin(), records.end(), item,
      [](std::uint64_t i, const RecordPlace& place) { return i < place.first_item; });
  return behind == records.begin() ? -1 : std::prev(behind)->offset;
}

const MergedBatch* BatchMerger::find(std::string_view tenant) const noexcept {
  for (const MergedBatch& batch : cut_.batches)
    if (batch.tenant == tenant) return &batch;
  return nullptr;
}

bool BatchMerger::fits(std::string_view tenant, std::size_t bytes,
                       std::uint64_t items) const noexcept {
  if (empty()) return true;
  if (records_ >= limits_.records_max) return false;
  // Many small tenants may make a cut larger than one batch, but not without an end.
  std::size_t total = bytes;
  for (const MergedBatch& batch : cut_.batches) total += batch.payload.size();
  if (total > 2 * limits_.bytes_max) return false;
  const MergedBatch* batch = find(tenant);
  if (batch == nullptr) return cut_.batches.size() < limits_.tenants_max;
  return batch->payload.size() + bytes <= limits_.bytes_max &&
         batch->item_count + items <= limits_.items_max;
}

// Doubling, but not beyond a full batch.
std::size_t BatchMerger::capacity_for(const MergedBatch* batch, std::size_t bytes) const noexcept {
  if (batch == nullptr) return bytes;
  const std::size_t needed = batch->payload.size() + bytes;
  const std::size_t capacity = batch->payload.capacity();
  if (needed <= capacity) return capacity;
  return std::max(needed, std::min(2 * capacity, limits_.bytes_max));
}

std::size_t BatchMerger::bytes_held() const noexcept {
  std::size_t bytes = 0;
  for (const MergedBatch& batch : cut_.batches) {
    bytes += batch.payload.capacity() + batch.payload.size();
  }
  return bytes;
}

std::size_t BatchMerger::bytes_with(std::string_view tenant, std::size_t bytes) const noexcept {
  const MergedBatch* batch = find(tenant);
  const std::size_t before = batch == nullptr ? 0 : batch->payload.capacity();
  return bytes_held() - before + capacity_for(batch, bytes) + bytes;
}

void BatchMerger::skip(std::int64_t offset, std::int64_t timestamp_ms) {
  SPANWAY_ASSERT(empty() || offset > cut_.last);
  if (empty()) cut_.first = offset;
  cut_.last = offset;
  if (timestamp_ms > 0 && (cut_.timestamp_ms == 0 || timestamp_ms < cut_.timestamp_ms)) {
    cut_.timestamp_ms = timestamp_ms;
  }
  ++records_;
}

void BatchMerger::add(std::int64_t offset, std::int64_t timestamp_ms, std::string_view tenant,
                      std::string_view payload, std::uint64_t items) {
  skip(offset, timestamp_ms);
  auto batch = std::find_if(cut_.batches.begin(), cut_.batches.end(),
                            [tenant](const MergedBatch& b) { return b.tenant == tenant; });
  if (batch == cut_.batches.end()) {
    MergedBatch fresh;
    fresh.tenant = tenant;
    batch = cut_.batches.insert(cut_.batches.end(), std::move(fresh));
  }
  batch->payload.reserve(
      capacity_for(batch->payload.capacity() == 0 ? nullptr : &*batch, payload.size()));
  batch->payload.append(payload);
  if (items > 0) batch->records.push_back({batch->item_count, offset});
  batch->item_count += items;
  batch->newest_timestamp_ms = std::max(batch->newest_timestamp_ms, timestamp_ms);
}

Cut BatchMerger::take() {
  SPANWAY_ASSERT(!empty());
  records_ = 0;
  return std::exchange(cut_, Cut{});
}

void BatchMerger::clear() {
  records_ = 0;
  cut_ = Cut{};
}

}  // namespace spanway::kafka_bridge
