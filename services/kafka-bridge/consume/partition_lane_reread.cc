// The second reading of what is not settled.
#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/partition_lane.h"

namespace spanway::kafka_bridge {
namespace {

// Until a half-filled planned range that was released is read again.
constexpr Duration kYieldTime = std::chrono::seconds(1);

}  // namespace

void PartitionLane::advance_reread(std::int64_t next) {
  if (!reread_ || !reread_->reading) return;
  reread_->next = next;
  leave_batches_before(next);
  if (next >= reread_->end) end_reading_again();
}

PartitionLane::Place PartitionLane::place_again(const kafka::RecordView& record,
                                                std::string_view tenant) {
  leave_ranges_before(record.offset);
  leave_batches_before(record.offset);
  if (in_range(record.offset)) {
    if (!merger_.empty() && merger_.first() < reread_->ranges.front().offsets.first) seal();
    return Place::kTake;
  }
  const TenantBatch* batch = batch_at(tenant, {record.offset, record.offset});
  // The same batch as before begins or ends here.
  const auto first = merger_.first_of(tenant);
  if (first && batch_at(tenant, {*first, *first}) != batch) seal();
  if (batch != nullptr) return Place::kTake;
  if (!reads_again(tenant, record.offset)) return Place::kSkip;
  return place_by_stall(tenant, record);
}

bool PartitionLane::in_range(std::int64_t offset) const {
  return reread_ && reread_->reading && !reread_->ranges.empty() &&
         offset >= reread_->ranges.front().offsets.first &&
         offset <= reread_->ranges.front().offsets.last;
}

// A planned range is being filled: it ends where it ended before, whatever the limits are now.
bool PartitionLane::fills_range() const { return !merger_.empty() && in_range(merger_.first()); }

void PartitionLane::leave_ranges_before(std::int64_t offset) {
  while (!reread_->ranges.empty() && offset > reread_->ranges.front().offsets.last) {
    if (fills_range()) {
      seal();
    } else {  // Its records have gone.
      reread_->ranges.pop_front();
      if (options_.batch_identity) ++range_count_;
    }
  }
}

// A batch of an earlier life that holds some of these records.
const TenantBatch* PartitionLane::batch_at(std::string_view tenant, OffsetRange offsets) const {
  if (!reread_ || !reread_->reading) return nullptr;
  for (const TenantBatch& batch : reread_->batches) {
    if (batch.batch.tenant == tenant && batch.offsets.first <= offsets.last &&
        offsets.first <= batch.offsets.last) {
      return &batch;
    }
  }
  return nullptr;
}

bool PartitionLane::fills(const TenantBatch& batch) const {
  const auto first = merger_.first_of(batch.batch.tenant);
  return first && *first >= batch.offsets.first && *first <= batch.offsets.last;
}

// A batch of an earlier life is being filled, and its last record has not been read.
bool PartitionLane::fills_batch() const {
  return reread_ && reread_->reading &&
         std::any_of(reread_->batches.begin(), reread_->batches.end(),
                     [this](const TenantBatch& batch) {
                       return batch.offsets.last >= reread_->next && fills(batch);
                     });
}

void PartitionLane::leave_batches_before(std::int64_t offset) {
  if (reread_->batches.empty()) return;
  bool complete = false;
  bool incomplete = false;
  for (const TenantBatch& batch : reread_->batches) {
    if (fills(batch)) (batch.offsets.last < offset ? complete : incomplete) = true;
  }
  if (complete && !incomplete && !fills_range()) seal();
  std::erase_if(reread_->batches, [this, offset](const TenantBatch& batch) {
    return batch.offsets.last < offset && !fills(batch);
  });
}

void PartitionLane::end_reading_again() {
  leave_ranges_before(reread_->end);
  leave_batches_before(reread_->end);
  if (!merger_.empty()) seal();
  reread_->next = reread_->end;
  reread_->reading = false;
  schedule_collect();
}

// The second reading is done.
void PartitionLane::end_reread() {
  if (!reread_ || reread_->reading || !reread_->tracker.idle()) return;
  reread_.reset();
  reread_backoff_.reset();
  read_again_later();
}

// A planned range is half-filled and memory is short.
void PartitionLane::yield_memory() {
  OpenRange range = reread_->ranges.front();
  if (!deps_.shares.take_turn(this)) {
    // Another lane's first; this one is read again.
    reread_->next = merger_.first();
    forget_filling();
    end_.reset();
    yielded_ = true;
    deps_.executor.post_after(kYieldTime, guard_.wrap([this] {
      if (draining_ || !std::exchange(yielded_, false)) return;
      host_.on_rewind(reread_->next);
    }));
  } else if (deps_.budget.used() <= permit_.bytes()) {
    // Larger than the budget: planned under another limit. It is sent in parts under new names.
    const std::int64_t next = merger_.last() + 1;
    seal();
    range.offsets.first = next;
    reread_->ranges.push_front(std::move(range));
  }
}

bool PartitionLane::reads_again(std::string_view tenant, std::int64_t offset) const {
  if (!reread_) return false;
  const auto found = reread_->tenants.find(tenant);
  return found != reread_->tenants.end() && offset >= found->second;
}

// True while a batch that left memory has not been read again.
bool PartitionLane::unread(std::string_view tenant, std::int64_t offset) const {
  return is_deferred(tenant, offset) ||
         (reread_ && reread_->reading && reads_again(tenant, offset) &&
          offset >= next_to_read_again());
}

void PartitionLane::read_again_later() {
  if (deferred_.empty() || reread_ || draining_) return;
  reread_timer_.cancel();
  reread_timer_ =
      deps_.executor.post_after(reread_backoff_.next(), guard_.wrap([this] { read_again(); }));
}

void PartitionLane::read_again() {
  if (reread_ || draining_) return;
  if (!merger_.empty()) seal();
  Reread reread(tracker_.end());
  std::int64_t start = tracker_.end();
  for (auto it = deferred_.begin(); it != deferred_.end();) {
    if (deps_.stalls.stalled({options_.signal, it->first}) || letter_stalls_.count(it->first) > 0) {
      ++it;
      continue;
    }
    start = std::min(start, it->second);
    reread.tenants.insert(*it);
    it = deferred_.erase(it);
  }
  if (reread.tenants.empty()) return;
  reread.end = tracker_.end();
  reread.next = start;
  reread.tracker = OffsetTracker(start);
  reread_ = std::move(reread);
  refused_ = false;
  refused_timestamp_ms_ = 0;
  end_.reset();
  host_.on_rewind(start);
}

std::int64_t PartitionLane::reread_position() const {
  const std::int64_t position =
      reread_->tracker.idle() ? reread_->next : reread_->tracker.position();
  return reread_->reading && !merger_.empty() ? std::min(position, merger_.first()) : position;
}

std::int64_t PartitionLane::next_to_read_again() const {
  return merger_.empty() ? reread_->next : std::min(reread_->next, merger_.first());
}

}  // namespace spanway::kafka_bridge
