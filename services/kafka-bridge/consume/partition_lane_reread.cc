// The second reading of what is not settled.
#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/partition_lane.h"

namespace spanway::kafka_bridge {
namespace {

// Until a half-filled known range that was released is read again.
constexpr Duration kYieldTime = std::chrono::seconds(1);

}  // namespace

// In order of their first records. Those that overlap wait for the next pass.
void PartitionLane::keep_known(std::vector<KnownRange> ranges) {
  std::stable_sort(ranges.begin(), ranges.end(), [](const KnownRange& a, const KnownRange& b) {
    return a.range.offsets < b.range.offsets;
  });
  for (KnownRange& known : ranges) {
    const bool overlaps = !reread_->ranges.empty() &&
                          reread_->ranges.back().range.offsets.last >= known.range.offsets.first;
    if (overlaps) {
      postponed_.push_back(std::move(known));
    } else {
      reread_->ranges.push_back(std::move(known));
    }
  }
}

void PartitionLane::advance_reread(std::int64_t next) {
  if (!reread_) return;
  reread_->next = next;
  if (in_range(next - 1) && next > reread_->ranges.front().range.offsets.last) leave_range();
  if (next >= reread_->end) {
    end_reread();
  } else {
    end_reread_early();
  }
}

PartitionLane::Place PartitionLane::place_again(const kafka::RecordView& record,
                                                std::string_view tenant) {
  leave_ranges_before(record.offset);
  if (in_range(record.offset)) return place_in_range(record, tenant);
  const OffsetRange* stretch = unread_.find(tenant, record.offset);
  if (stretch == nullptr || passed_over(tenant)) return Place::kSkip;
  // Between two stretches lie settled records: one batch never spans both.
  const auto first = merger_.first_of(tenant);
  if (first && unread_.find(tenant, *first) != stretch) {
    seal();
    stretch = unread_.find(tenant, record.offset);
  }
  if (held_back(tenant, record.value.size())) {
    if (tenant.empty() && !deps_.ledger.has_tenants(options_.signal)) return Place::kRefuse;
    pass_over(tenant, record.offset);
    return Place::kSkip;
  }
  // The letters of batches that were given back stayed.
  record_parts_.letter = stretch->last == UnreadRecords::kNoEnd;
  return Place::kTake;
}

// A known range has only its own records: of its tenant, or of those that have none unread.
PartitionLane::Place PartitionLane::place_in_range(const kafka::RecordView& record,
                                                   std::string_view tenant) {
  const KnownRange& known = reread_->ranges.front();
  if (!merger_.empty() && !fills_range()) seal();
  if (known.tenant && *known.tenant == tenant) {
    record_parts_.letter = false;
    return Place::kTake;
  }
  const bool unread = unread_.find(tenant, record.offset) != nullptr;
  if (unread && !passed_over(tenant)) pass_over(tenant, record.offset);
  if (known.tenant) return Place::kSkip;
  if (!unread) return Place::kTake;
  filling_shared_ = true;
  const auto& parts = known.range.parts;
  if (parts && std::find(parts->letters.begin(), parts->letters.end(), record.offset) !=
                   parts->letters.end()) {
    record_parts_.items = false;
    return Place::kTake;
  }
  merger_.skip(record.offset, 0);
  return Place::kSkip;
}

// From here on the tenant's records stay unread until the next pass.
void PartitionLane::pass_over(std::string_view tenant, std::int64_t offset) {
  if (!merger_.empty() && !fills_range()) seal();
  unread_.take_over(tenant, offset);
  reread_->passed_over.emplace(tenant);
}

bool PartitionLane::passed_over(std::string_view tenant) const {
  return reread_ && reread_->passed_over.count(tenant) > 0;
}

bool PartitionLane::in_range(std::int64_t offset) const {
  if (!reread_ || reread_->ranges.empty()) return false;
  const OffsetRange& offsets = reread_->ranges.front().range.offsets;
  return offset >= offsets.first && offset <= offsets.last;
}

// A known range is being filled: it ends where it ended before, whatever the limits are now.
bool PartitionLane::fills_range() const { return !merger_.empty() && in_range(merger_.first()); }

void PartitionLane::leave_ranges_before(std::int64_t offset) {
  while (!reread_->ranges.empty() && offset > reread_->ranges.front().range.offsets.last) {
    leave_range();
  }
}

void PartitionLane::leave_range() {
  if (fills_range()) {
    seal();
  } else {  // Its records have gone.
    reread_->ranges.pop_front();
  }
}

// Tenants that were not passed over have nothing unread any more.
void PartitionLane::end_reread() {
  leave_ranges_before(reread_->end);
  if (!merger_.empty()) seal();
  for (auto it = unread_.tenants().begin(); it != unread_.tenants().end();) {
    const std::string tenant = (it++)->first;
    if (!passed_over(tenant)) unread_.erase(tenant);
  }
  reread_.reset();
  if (unread_.empty() && postponed_.empty()) reread_backoff_.reset();
  schedule_collect();
}

// Nothing that is left may be read in this pass.
void PartitionLane::end_reread_early() {
  const auto done = [this] {
    return reread_ && reread_->ranges.empty() && merger_.empty() &&
           std::all_of(unread_.tenants().begin(), unread_.tenants().end(),
                       [this](const auto& entry) { return passed_over(entry.first); });
  };
  if (early_end_posted_ || !done()) return;
  early_end_posted_ = true;
  deps_.executor.post(guard_.wrap([this, done] {
    early_end_posted_ = false;
    if (draining_ || yielded_ || !done()) return;
    const std::int64_t end = reread_->end;
    end_reread();
    refused_ = false;
    host_.on_rewind(end);
  }));
}

// A known range is half-filled and memory is short.
void PartitionLane::yield_memory() {
  KnownRange known = reread_->ranges.front();
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
    known.range.offsets.first = next;
    reread_->ranges.push_front(std::move(known));
  }
}

// A stalled tenant too, while it has fewer batches to probe with than it may.
bool PartitionLane::may_read_again(const std::string& tenant) const {
  return !held_back(tenant, 0);
}

void PartitionLane::read_again_later() {
  if (reread_pending_ || reread_ || draining_) return;
  const auto& tenants = unread_.tenants();
  if (postponed_.empty() && std::none_of(tenants.begin(), tenants.end(), [this](const auto& entry) {
        return may_read_again(entry.first);
      })) {
    return;
  }
  reread_pending_ = true;
  reread_timer_ = deps_.executor.post_after(reread_backoff_.next(), guard_.wrap([this] {
    reread_pending_ = false;
    read_again();
  }));
}

void PartitionLane::read_again() {
  if (reread_ || draining_) return;
  if (!merger_.empty()) seal();
  Reread reread;
  std::int64_t start = tracker_.end();
  for (const auto& [tenant, stretches] : unread_.tenants()) {
    if (may_read_again(tenant)) {
      start = std::min(start, stretches.front().first);
    } else {
      reread.passed_over.insert(tenant);
    }
  }
  for (const KnownRange& known : postponed_) start = std::min(start, known.range.offsets.first);
  if (start == tracker_.end() && reread.passed_over.size() == unread_.tenants().size()) return;
  reread.next = start;
  reread.end = tracker_.end();
  reread_ = std::move(reread);
  keep_known(std::exchange(postponed_, {}));
  refused_ = false;
  refused_timestamp_ms_ = 0;
  end_.reset();
  if (start == reread_->end) return end_reread();
  host_.on_rewind(start);
}

// Records being filled are still unread, or in their known range.
std::int64_t PartitionLane::next_to_read_again() const {
  return merger_.empty() ? reread_->next : std::min(reread_->next, merger_.first());
}

}  // namespace spanway::kafka_bridge
