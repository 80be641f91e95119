#include "services/kafka-bridge/consume/batch_merger.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {
namespace {

// Size of a piece that holds several records.
constexpr std::size_t kPieceBytesMax = 256u << 10;

}  // namespace

std::int64_t MergedBatch::offset_of(std::uint64_t item) const noexcept {
  const auto behind = std::upper_bound(
      records.begin(), records.end(), item,
      [](std::uint64_t i, const RecordPlace& place) { return i < place.first_item; });
  return behind == records.begin() ? -1 : std::prev(behind)->offset;
}

void BatchMerger::Filling::close() {
  closed_capacity += open.capacity();
  batch.payload.add(std::make_shared<const Bytes>(std::exchange(open, Bytes())));
}

const BatchMerger::Filling* BatchMerger::find(std::string_view tenant) const noexcept {
  for (const Filling& filling : fillings_)
    if (filling.batch.tenant == tenant) return &filling;
  return nullptr;
}

bool BatchMerger::fits(std::string_view tenant, std::size_t bytes,
                       std::uint64_t items) const noexcept {
  if (empty()) return true;
  if (records_ >= limits_.records_max) return false;
  // Many small tenants may make a range larger than one batch, within a bound.
  std::size_t total = bytes;
  for (const Filling& filling : fillings_) total += filling.size();
  if (total > 2 * limits_.bytes_max) return false;
  const Filling* filling = find(tenant);
  if (filling == nullptr) return fillings_.size() < limits_.tenants_max;
  return filling->size() + bytes <= limits_.bytes_max &&
         filling->batch.item_count + items <= limits_.items_max;
}

// Doubles the capacity, up to a bound and a full batch.
std::size_t BatchMerger::capacity_needed(const Filling* filling, std::size_t bytes) const noexcept {
  if (filling == nullptr) return bytes;
  if (filling->open.size() + bytes <= filling->open.capacity()) return 0;
  const std::size_t size = filling->size();
  const std::size_t room = limits_.bytes_max - std::min(limits_.bytes_max, size);
  return std::max(bytes, std::min({size, room, kPieceBytesMax}));
}

std::size_t BatchMerger::bytes_held() const noexcept {
  std::size_t bytes = 0;
  for (const Filling& filling : fillings_) bytes += filling.capacity() + filling.size();
  return bytes;
}

std::optional<std::int64_t> BatchMerger::first_of(std::string_view tenant) const noexcept {
  const Filling* filling = find(tenant);
  if (filling == nullptr || filling->batch.records.empty()) return std::nullopt;
  return filling->batch.records.front().offset;
}

std::uint64_t BatchMerger::item_count() const noexcept {
  std::uint64_t items = 0;
  for (const Filling& filling : fillings_) items += filling.batch.item_count;
  return items;
}

std::size_t BatchMerger::bytes_with(std::string_view tenant, std::size_t bytes) const noexcept {
  return bytes_held() + capacity_needed(find(tenant), bytes) + bytes;
}

void BatchMerger::skip(std::int64_t offset, std::int64_t timestamp_ms) {
  SPANWAY_ASSERT(empty() || offset > batch_range_.last);
  if (empty()) batch_range_.first = offset;
  batch_range_.last = offset;
  if (timestamp_ms > 0 &&
      (batch_range_.timestamp_ms == 0 || timestamp_ms < batch_range_.timestamp_ms)) {
    batch_range_.timestamp_ms = timestamp_ms;
  }
  ++records_;
}

void BatchMerger::add(std::int64_t offset, std::int64_t timestamp_ms, std::string_view tenant,
                      std::string_view payload, std::uint64_t items) {
  skip(offset, timestamp_ms);
  auto filling = std::find_if(fillings_.begin(), fillings_.end(), [tenant](const Filling& known) {
    return known.batch.tenant == tenant;
  });
  if (filling == fillings_.end()) {
    filling = fillings_.emplace(fillings_.end());
    filling->batch.tenant = tenant;
  }
  const bool fresh = filling->capacity() == 0;
  if (const std::size_t capacity = capacity_needed(fresh ? nullptr : &*filling, payload.size())) {
    if (!fresh) filling->close();
    filling->open.reserve(capacity);
  }
  filling->open.append(payload);
  MergedBatch& batch = filling->batch;
  if (items > 0) batch.records.push_back({batch.item_count, offset});
  batch.item_count += items;
  batch.newest_timestamp_ms = std::max(batch.newest_timestamp_ms, timestamp_ms);
}

BatchRange BatchMerger::take() {
  SPANWAY_ASSERT(!empty());
  BatchRange batch_range = std::exchange(batch_range_, BatchRange{});
  for (Filling& filling : fillings_) {
    filling.close();
    batch_range.batches.push_back(std::move(filling.batch));
  }
  clear();
  return batch_range;
}

void BatchMerger::clear() {
  records_ = 0;
  batch_range_ = BatchRange{};
  fillings_.clear();
}

}  // namespace spanway::kafka_bridge
