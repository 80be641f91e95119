// Stalls: deferring batches of stalled tenants, and reporting.
#include <algorithm>
#include <set>
#include <utility>

#include "services/kafka-bridge/consume/batch_plan.h"
#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/lib/runtime/statusz.h"

namespace spanway::kafka_bridge {
namespace {

// Ranges that are not settled: bounds what a lane keeps in order.
constexpr std::size_t kOpenRangesMax = 1024;
// Batches of one partition that wait for the end of a stall.
constexpr std::size_t kStalledMax = 4;
// Batches that fail alone are no probes: only others, read beside them, can end the stall.
constexpr std::size_t kAloneMax = 16;
// Batches of longer stalls leave memory.
constexpr Duration kDeferAfter = std::chrono::seconds(5);
// Left free in a commit's note for what is in flight.
constexpr std::size_t kNoteSpare = 1500;
// A batch that fails alone is named in /statusz after this time; how many entries there may be.
constexpr Duration kFailingReported = std::chrono::seconds(30);
constexpr std::size_t kStatusesMax = 128;

}  // namespace

// Keeps some batches of a stalled tenant as probes; the rest stays in Kafka.
PartitionLane::Place PartitionLane::place_by_stall(std::string_view tenant,
                                                   const kafka::RecordView& record) {
  if (unread_.without_end(tenant)) {
    // Without tenants the whole partition stalls.
    const bool others = !tenant.empty() || deps_.ledger.has_tenants(options_.signal);
    return others ? Place::kSkip : Place::kRefuse;
  }
  if (!held_back(tenant, record.value.size())) return Place::kTake;
  return defer_from(tenant, record.offset);
}

// As many batches of the tenant are in memory as may be, until its stall ends or answers come.
bool PartitionLane::held_back(std::string_view tenant, std::size_t bytes) const {
  if (letter_stalls_.count(tenant) > 0) return true;
  const bool slow = slow_.count(tenant) > 0;
  if (!slow && !deps_.stalls.any()) return false;
  const bool stalled = deps_.stalls.stalled({options_.signal, std::string(tenant)});
  if (!slow && !stalled) return false;
  std::size_t kept = 0;
  std::size_t alone = 0;
  std::size_t waiting = 0;
  for_deliveries([&](const Delivery& d) {
    if (d.stream().tenant != tenant) return;
    if (d.failing_alone() == nullptr || ++alone > kAloneMax) ++kept;
    waiting += d.started() ? 0 : 1;
  });
  return (stalled ? kept >= kStalledMax : waiting > 0) || !within_share(tenant, bytes);
}

PartitionLane::Place PartitionLane::defer_from(std::string_view tenant, std::int64_t offset) {
  if (may_defer(tenant, offset)) {
    if (merger_.first_of(tenant)) seal();  // A range has all records of a tenant, or none.
    unread_.add_from(std::string(tenant), offset);
    return Place::kSkip;
  }
  note_full_ = deps_.ledger.has_tenants(options_.signal);
  return Place::kRefuse;
}

void PartitionLane::on_stall_begun(const Stream& stream) {
  if (stream.signal != options_.signal) return;
  schedule_collect();
  // A short stall is not worth reading again.
  deps_.executor.post_after(kDeferAfter, guard_.wrap([this, stream] {
    if (deps_.stalls.stalled(stream)) defer(stream.tenant);
  }));
}

void PartitionLane::on_stall_ended(const Stream& stream) {
  if (stream.signal != options_.signal) return;
  note_full_ = false;
  schedule_collect();
}

// True if the commit's note still fits when this tenant is deferred from here on.
bool PartitionLane::may_defer(std::string_view tenant, std::int64_t from) const {
  if (draining_ || (tenant.empty() && !deps_.ledger.has_tenants(options_.signal))) return false;
  CommitNote with = note(Detail::kCompact);
  with.tenants.emplace(tenant, from);
  return encode_commit_note(with, std::min(position(), from)).size() + kNoteSpare <= kNoteBytesMax;
}

// Keeps only the oldest batches of a stalled tenant, to probe with. Never gives back those that
// wait for an answer, or of which a part is done, nor anything before them.
void PartitionLane::defer(const std::string& tenant) {
  if (draining_) return;
  if (!merger_.empty() && !fills_range()) seal();
  std::vector<const Delivery*> ours;
  std::set<const Delivery*> fixed;
  for (const OpenBatchRange& batch_range : open_) {
    // Its plan is being committed.
    const bool planning = options_.batch_identity && batch_range.number > planned_;
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->stream().tenant != tenant || delivery->is_letter()) continue;
      ours.push_back(delivery.get());
      if (planning || !delivery->droppable()) fixed.insert(delivery.get());
    }
  }
  std::sort(ours.begin(), ours.end(), [](const Delivery* a, const Delivery* b) {
    return a->first_offset() < b->first_offset();
  });
  std::size_t keep = 0;
  std::size_t alone = 0;
  for (std::size_t kept = 0; keep < ours.size() && kept < kStalledMax; ++keep) {
    if (ours[keep]->failing_alone() == nullptr || ++alone > kAloneMax) ++kept;
  }
  for (std::size_t i = keep; i < ours.size(); ++i) {
    if (fixed.count(ours[i]) > 0) keep = i + 1;
  }
  const bool gives_back = keep < ours.size();
  // The second reading is past what is given back: without this its end would take it for read.
  if (reread_ && (gives_back || unread_.contains(tenant)) && !passed_over(tenant)) {
    pass_over(tenant, next_to_read_again());
  }
  if (!gives_back) return;
  give_back(tenant, {ours.begin() + static_cast<std::ptrdiff_t>(keep), ours.end()},
            settled_to(tenant));
  schedule_collect();
}

// The batches are those of the tenant behind all others that are in memory. Where nothing of the
// tenant behind them is settled, they are a part of what is not read yet.
void PartitionLane::give_back(const std::string& tenant,
                              const std::vector<const Delivery*>& batches,
                              std::int64_t settled_to) {
  std::int64_t from = tracker_.end();
  for (const Delivery* batch : batches) {
    const OffsetRange offsets{batch->first_offset(), batch->last_offset()};
    const bool had_letters = drop(*batch);
    if (had_letters) settled_to = std::max(settled_to, offsets.last);
    if (offsets.first > settled_to) {
      from = std::min(from, offsets.first);
    } else {
      unread_.add(tenant, offsets);
    }
  }
  unread_.add_from(tenant, from);
}

// True: its range had dead letters of single records, which stay.
bool PartitionLane::drop(const Delivery& delivery) {
  for (OpenBatchRange& batch_range : open_) {
    if (std::erase_if(batch_range.deliveries,
                      [&](const auto& known) { return known.get() == &delivery; }) == 0) {
      continue;
    }
    batch_range.shared = true;
    std::size_t bytes = 0;
    for (const auto& left : batch_range.deliveries) bytes += 2 * left->bytes();
    batch_range.permit.shrink_to(bytes);
    return batch_range.letters;
  }
  return false;
}

void PartitionLane::add_settled(const Delivery& delivery) {
  if (delivery.is_letter()) return;
  if (!deps_.ledger.has_tenants(options_.signal)) {
    settled_floor_ = std::max(settled_floor_, delivery.last_offset());
    return;
  }
  const std::string& tenant = delivery.stream().tenant;
  const auto [entry, fresh] = settled_.try_emplace(tenant, Settled{settled_floor_, {}});
  entry->second.last = std::max(entry->second.last, delivery.last_offset());
  entry->second.at = deps_.executor.clock().now();
}

// Keeps what is known of tenants that have batches in memory.
void PartitionLane::prune_settled() {
  if (settled_.empty() || (!open_.empty() && settled_.size() < settled_prune_at_)) return;
  std::set<std::string_view> open;
  for_deliveries([&open](const Delivery& d) { open.insert(d.stream().tenant); });
  std::erase_if(settled_, [&open](const auto& entry) { return open.count(entry.first) == 0; });
  settled_floor_ = tracker_.end() - 1;
  settled_prune_at_ = 64 + 2 * settled_.size();
}

// Nothing of the tenant behind it is settled.
std::int64_t PartitionLane::settled_to(const std::string& tenant) const {
  const auto found = settled_.find(tenant);
  return found == settled_.end() ? settled_floor_ : found->second.last;
}

// The commit waits for the letter, so nothing more of its tenant is read; others are.
void PartitionLane::collect_letter_stalls() {
  auto before = std::exchange(letter_stalls_, {});
  for_deliveries([this](const Delivery& d) {
    if (d.letter_error() == nullptr || d.done()) return;
    letter_stalls_.try_emplace(d.stream().tenant,
                               LetterStall{*d.letter_error(), d.letter_failing_since()});
  });
  for (const auto& [tenant, stall] : before) {
    if (letter_stalls_.count(tenant) > 0) continue;
    note_full_ = false;
  }
}

PartitionLane::State PartitionLane::state() const {
  State state;
  state.committed = committed_;
  state.in_flight = in_flight();
  state.bytes = permit_.bytes();
  for (const OpenBatchRange& batch_range : open_) state.bytes += batch_range.permit.bytes();
  state.items = merger_.item_count();
  for_deliveries([&state](const Delivery& d) { state.items += d.items_in_flight(); });
  for (const auto& letter : letters_) state.items += letter->items_in_flight();
  for (const OpenBatchRange& batch_range : open_) {
    if (!batch_range.again || batch_range.deliveries.empty()) continue;
    const std::int64_t before = state.oldest_timestamp_ms.value_or(batch_range.timestamp_ms);
    state.oldest_timestamp_ms = std::min(before, batch_range.timestamp_ms);
  }
  if (!state.oldest_timestamp_ms) state.oldest_timestamp_ms = tracker_.oldest_timestamp_ms();
  if (!state.oldest_timestamp_ms && !merger_.empty()) {
    state.oldest_timestamp_ms = merger_.timestamp_ms();
  }
  if (!state.oldest_timestamp_ms && refused_timestamp_ms_ > 0) {
    state.oldest_timestamp_ms = refused_timestamp_ms_;
  }
  describe_stall(state);
  return state;
}

void PartitionLane::add_failing(std::vector<StallStatus>& statuses) const {
  const SteadyTime now = deps_.executor.clock().now();
  for (const auto& [tenant, stall] : letter_stalls_) {
    if (statuses.size() >= kStatusesMax) return;
    statuses.push_back({StallStatus::Scope::kTenant, options_.signal, tenant,
                        "dead letters of " + options_.topic + " partition " +
                            std::to_string(options_.partition) +
                            " cannot be written: " + stall.error.message,
                        now - stall.since});
  }
  for_deliveries([&](const Delivery& d) {
    const Error* error = d.failing_alone();
    if (error == nullptr || d.letter_error() != nullptr || d.done()) return;
    if (statuses.size() >= kStatusesMax) return;
    const Duration age = now - d.refused_first();
    if (age < kFailingReported) return;
    statuses.push_back({StallStatus::Scope::kRecord, options_.signal, d.stream().tenant,
                        "fails alone in " + options_.topic + " partition " +
                            std::to_string(options_.partition) + ": " + error->message,
                        age});
  });
}

// The partition itself stalls when nothing of it moves; a tenant that stalls beside others that are
// read is reported by Stalls::status().
void PartitionLane::describe_stall(State& state) const {
  const SteadyTime now = deps_.executor.clock().now();
  const bool one_stream = !deps_.ledger.has_tenants(options_.signal);
  if (!letter_stalls_.empty() && (one_stream || (refused_ && note_full_))) {
    const LetterStall& stall = letter_stalls_.begin()->second;
    state.stalled = true;
    state.reason = "dead letters cannot be written: " + stall.error.message;
    state.stalled_for = now - stall.since;
    return;
  }
  const Delivery* oldest = nullptr;
  const Delivery* stalled = nullptr;
  for_deliveries([&](const Delivery& d) {
    if (oldest == nullptr && d.started() && !d.done()) oldest = &d;
    if (stalled == nullptr && d.stalled()) stalled = &d;
  });
  const bool full = refused_ && (note_full_ || !has_room());
  if (stalled != nullptr && (full || stalled->stream().tenant.empty())) {
    const Error* error = deps_.stalls.reason(stalled->stream());
    if (error == nullptr) return;
    state.stalled = true;
    state.reason = note_full_ ? "too many tenants stall to read on beside them; one of them: " : "";
    state.reason += error->message;
    state.stalled_for = deps_.stalls.age(stalled->stream());
  } else if (full && open_.size() >= kOpenRangesMax && oldest != nullptr) {
    const Error* error = oldest->failing_alone();
    state.stalled = true;
    state.reason = std::to_string(open_.size()) + " batches wait for one that is not delivered" +
                   (error != nullptr ? ": " + error->message : "");
    state.stalled_for = now - oldest->refused_first();
  }
}

std::vector<PartitionLane::BatchState> PartitionLane::batches() const {
  std::vector<BatchState> batches;
  const SteadyTime now = deps_.executor.clock().now();
  for_deliveries([&](const Delivery& d) {
    if (d.done() || batches.size() >= runtime::Statusz::kBatchesMax) return;
    const std::int64_t last = d.is_letter() ? d.first_offset() : d.last_offset();
    batches.push_back({{d.first_offset(), last},
                       d.stream().tenant,
                       d.attempts(),
                       d.waits_for(),
                       now - d.created()});
  });
  return batches;
}

}  // namespace spanway::kafka_bridge
