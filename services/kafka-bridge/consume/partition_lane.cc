#include "services/kafka-bridge/consume/partition_lane.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/kafka-bridge/consume/batch_plan.h"

namespace spanway::kafka_bridge {
namespace {

// Cuts that are done but wait for one before them: bounds what a restart would repeat.
constexpr std::size_t kOpenRangesMax = 1024;
// Cuts that are made and wait: for a batch in flight to end, or for their plan to be committed.
constexpr std::size_t kWaitingRangesMax = 1;
constexpr std::size_t kWaitingPlannedRangesMax = 8;
// Batches of one partition that wait for the end of a stall.
constexpr std::size_t kStalledMax = 4;
// What stalls for longer leaves memory.
constexpr Duration kDeferAfter = std::chrono::seconds(5);
// Between the end of a stall and reading again; longer each time it stalls again.
constexpr Duration kRereadInitial = std::chrono::milliseconds(200);
constexpr Duration kRereadMax = std::chrono::minutes(1);
// Left free in a commit's note for what is in flight.
constexpr std::size_t kNoteSpare = 1500;
// Until a half-filled planned cut that was given up is read again.
constexpr Duration kYieldTime = std::chrono::seconds(1);
// A batch that fails alone is named in /statusz after this time; how many entries there may be.
constexpr Duration kFailingReported = std::chrono::seconds(30);
constexpr std::size_t kStatusesMax = 128;

std::string_view tenant_of(const kafka::RecordView& record) {
  std::string_view tenant;
  for (const kafka::HeaderView& header : record.headers) {
    if (header.name == "spanway-tenant") tenant = header.value;
  }
  return tenant;
}

// The tenant is read again from there on.
void except(CommitNote& note, const std::string& tenant, std::int64_t from) {
  const auto [entry, fresh] = note.tenants.emplace(tenant, from);
  if (!fresh) entry->second = std::min(entry->second, from);
}

const OpenBatch* find_batch(const OpenRange::Parts& parts, std::string_view tenant) {
  const auto found =
      std::find_if(parts.batches.begin(), parts.batches.end(),
                   [tenant](const OpenBatch& batch) { return batch.tenant == tenant; });
  return found == parts.batches.end() ? nullptr : &*found;
}

}  // namespace

PartitionLane::PartitionLane(LaneOptions options, const LaneDeps& deps, LaneHost& host,
                             const kafka::StartPosition& start)
    : options_(std::move(options)),
      deps_(deps),
      host_(host),
      reader_(&deps.budget),
      merger_(options_.merge),
      permit_(deps.budget.empty_permit()),
      tracker_(start.offset),
      committed_(start.offset),
      committed_metadata_(start.metadata),
      reread_backoff_({kRereadInitial, kRereadMax, 2.0, 0.5}, Random(deps_.random.next())) {
  deps_.stalls.subscribe(*this);
  const auto note = parse_commit_note(start.metadata, start.offset);
  if (!note) {
    deps_.events.log().warn("Committed note is not understood; everything behind it is read",
                            {{"topic", options_.topic}, {"partition", options_.partition}});
    return;
  }
  if (note->end <= start.offset) return;
  reread_.emplace(start.offset);
  reread_->end = note->end;
  reread_->tenants = note->tenants;
  reread_->batches = note->batches;
  for (const auto& [tenant, from] : note->tenants)
    deps_.ledger.add_tenant({options_.signal, tenant});
  for (const TenantBatch& batch : note->batches) {
    deps_.ledger.add_tenant({options_.signal, batch.batch.tenant});
  }
  reread_->ranges.assign(note->ranges.begin(), note->ranges.end());
  tracker_.skip_to(note->end);
  if (options_.batch_identity) planned_ = note->ranges.size();
}

PartitionLane::~PartitionLane() {
  forget_filling();
  linger_.cancel();
  reread_timer_.cancel();
  deps_.stalls.unsubscribe(*this);
  deps_.shares.change(options_.signal, share_used_, 0);
  deps_.shares.end_turn(this);
}

// --- Taking records ---

bool PartitionLane::has_room() const {
  if (draining_ || yielded_ || open_.size() >= kOpenRangesMax) return false;
  if (options_.batch_identity && open_.size() >= kPlannedRangesMax) return false;
  // Without tenants there is nothing but what waits for the letter.
  if (!letter_stalls_.empty() && !deps_.ledger.has_tenants(options_.signal)) return false;
  std::size_t waiting = 0;
  for (const OpenBatchRange& batch_range : open_) {
    const bool waits = std::any_of(
        batch_range.deliveries.begin(), batch_range.deliveries.end(), [this](const auto& delivery) {
          return !delivery->started() && !deps_.stalls.stalled(delivery->stream());
        });
    waiting += waits ? 1 : 0;
  }
  return waiting < (options_.batch_identity ? kWaitingPlannedRangesMax : kWaitingRangesMax);
}

bool PartitionLane::refuse() noexcept {
  refused_ = true;
  return false;
}

bool PartitionLane::take(const kafka::RecordView& record) {
  wants_memory_ = false;
  end_.reset();
  refused_timestamp_ms_ = record.timestamp_ms;
  if (!has_room()) return refuse();
  switch (place(record)) {
    case Place::kSkip:
      refused_timestamp_ms_ = 0;
      advance_reread(record.offset + 1);
      return true;
    case Place::kRefuse:
      return refuse();
    case Place::kTake:
      break;
  }
  const Result<ReadRecord> read = reader_.read(options_.signal, record);
  if (!read.ok() && read.error().refusal == Refusal::kTransient) {
    deps_.events.no_memory();
    wants_memory_ = true;
    return refuse();
  }
  const bool taken = read.ok() ? take_read(record, *read) : take_undecodable(record, read.error());
  if (!taken) return refuse();
  refused_timestamp_ms_ = 0;
  if (fills_range() && record.offset == reread_->ranges.front().offsets.last) seal();
  if (const TenantBatch* batch = batch_at(tenant_of(record), {record.offset, record.offset})) {
    if (record.offset == batch->offsets.last && !merger_.empty()) seal();
  }
  advance_reread(record.offset + 1);
  return true;
}

void PartitionLane::reach_end(std::int64_t offset) {
  end_ = offset;
  skip_to_end();
}

void PartitionLane::skip_to_end() {
  if (!end_ || draining_ || yielded_ || !open_.empty() || !merger_.empty()) return;
  if (reread_ && reread_->reading && *end_ >= reread_->end) end_reading_again();
  if (reread_ && reread_->reading) return;
  tracker_.skip_to(*end_);
  end_.reset();
}

void PartitionLane::advance_reread(std::int64_t next) {
  if (!reread_ || !reread_->reading) return;
  reread_->next = next;
  if (next >= reread_->end) end_reading_again();
}

// What becomes of a record: taken, passed over because it is done or held back, or offered again.
PartitionLane::Place PartitionLane::place(const kafka::RecordView& record) {
  const std::string_view tenant = tenant_of(record);
  if (reread_ && reread_->reading) {
    if (record.offset < reread_->end) return place_again(record, tenant);
    end_reading_again();
  }
  const Place place = place_by_stall(tenant, record);
  if (place != Place::kSkip) return place;
  if (merger_.empty()) {
    tracker_.skip_to(record.offset + 1);
  } else {
    merger_.skip(record.offset, 0);
  }
  return Place::kSkip;
}

// Of a stalled tenant some batches are kept as probes; the rest stays in Kafka.
PartitionLane::Place PartitionLane::place_by_stall(std::string_view tenant,
                                                   const kafka::RecordView& record) {
  if (is_deferred(tenant, record.offset)) {
    // Without tenants there is nothing but what stalls.
    const bool others = !tenant.empty() || deps_.ledger.has_tenants(options_.signal);
    return others ? Place::kSkip : Place::kRefuse;
  }
  if (letter_stalls_.count(tenant) > 0) return defer_from(tenant, record.offset);
  if (!deps_.stalls.any()) return Place::kTake;
  const Stream stream{options_.signal, std::string(tenant)};
  if (!deps_.stalls.stalled(stream)) return Place::kTake;
  std::size_t kept = 0;
  for_deliveries([&](const Delivery& d) { kept += d.stream() == stream ? 1 : 0; });
  if (kept < kStalledMax && within_share(tenant, record.value.size())) return Place::kTake;
  return defer_from(tenant, record.offset);
}

PartitionLane::Place PartitionLane::defer_from(std::string_view tenant, std::int64_t offset) {
  if (may_defer(tenant, offset)) {
    deferred_.emplace(tenant, offset);
    return Place::kSkip;
  }
  note_full_ = deps_.ledger.has_tenants(options_.signal);
  return Place::kRefuse;
}

PartitionLane::Place PartitionLane::place_again(const kafka::RecordView& record,
                                                std::string_view tenant) {
  leave_ranges_before(record.offset);
  leave_batches_before(record.offset);
  if (in_range(record.offset)) {
    if (!merger_.empty() && merger_.first() < reread_->ranges.front().offsets.first) seal();
    return Place::kTake;
  }
  if (const TenantBatch* batch = batch_at(tenant, {record.offset, record.offset})) {
    // The same batch as before: nothing of the tenant comes before it.
    const bool begins = merger_.empty() || merger_.first() < batch->offsets.first;
    if (begins && merger_.holds(tenant)) seal();
    return Place::kTake;
  }
  if (!reads_again(tenant, record.offset)) return Place::kSkip;
  return place_by_stall(tenant, record);
}

bool PartitionLane::in_range(std::int64_t offset) const {
  return reread_ && reread_->reading && !reread_->ranges.empty() &&
         offset >= reread_->ranges.front().offsets.first &&
         offset <= reread_->ranges.front().offsets.last;
}

// A planned cut is being filled: it ends where it ended before, whatever the limits say now.
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

void PartitionLane::leave_batches_before(std::int64_t offset) {
  for (const TenantBatch& batch : reread_->batches) {
    if (batch.offsets.last < offset && merger_.holds(batch.batch.tenant)) {
      seal();  // Its last record has gone.
      break;
    }
  }
  std::erase_if(reread_->batches,
                [offset](const TenantBatch& batch) { return batch.offsets.last < offset; });
}

void PartitionLane::end_reading_again() {
  leave_ranges_before(reread_->end);
  leave_batches_before(reread_->end);
  if (!merger_.empty()) seal();
  reread_->next = reread_->end;
  reread_->reading = false;
  schedule_collect();
}

// Nothing of the second pass is left.
void PartitionLane::end_reread() {
  if (!reread_ || reread_->reading || !reread_->tracker.idle()) return;
  reread_.reset();
  reread_backoff_.reset();
  read_again_later();
}

bool PartitionLane::take_read(const kafka::RecordView& record, const ReadRecord& read) {
  if (!in_range(record.offset) &&
      !merger_.fits(read.tenant, read.payload.size(), read.item_count)) {
    seal();
    if (!has_room()) return false;
  }
  const std::size_t letter_bytes = read.rejected > 0 ? 2 * record.value.size() : 0;
  const std::size_t bytes = merger_.bytes_with(read.tenant, read.payload.size());
  const std::size_t total = bytes + letter_bytes_ + letter_bytes;
  if (!acquire(read.tenant, total, read.payload.size())) return false;
  deps_.events.consumed(options_.signal, record.value.size(), read.item_count + read.rejected);
  begin_linger();
  if (read.item_count == 0) {
    merger_.skip(record.offset, record.timestamp_ms);
  } else {
    merger_.add(record.offset, record.timestamp_ms, read.tenant, read.payload, read.item_count);
  }
  if (read.rejected > 0) {
    add_letter(
        record, DeadLetterCause::kInvalidItems, read.tenant, read.reject_message,
        std::to_string(read.rejected) + "/" + std::to_string(read.rejected + read.item_count),
        read.rejected);
  }
  return true;
}

bool PartitionLane::take_undecodable(const kafka::RecordView& record, const Error& error) {
  const std::size_t bytes = merger_.bytes_held() + letter_bytes_ + 2 * record.value.size();
  if (!acquire("", bytes, record.value.size())) return false;
  deps_.events.consumed(options_.signal, record.value.size(), 0);
  begin_linger();
  merger_.skip(record.offset, record.timestamp_ms);
  add_letter(record, DeadLetterCause::kUndecodable, "", error.message, "", 0);
  return true;
}

void PartitionLane::add_letter(const kafka::RecordView& record, DeadLetterCause cause,
                               std::string_view tenant, std::string error, std::string rejected,
                               std::uint64_t item_count) {
  DeadLetter letter;
  letter.signal = options_.signal;
  letter.cause = cause;
  letter.payload = Bytes(record.value);
  letter.tenant = tenant;
  letter.error = std::move(error);
  letter.origin = options_.topic + ":" + std::to_string(options_.partition) + ":" +
                  std::to_string(record.offset);
  letter.partition = options_.partition;
  letter.rejected = std::move(rejected);
  letter.item_count = item_count;
  letter_bytes_ += 2 * record.value.size();
  letters_.push_back(
      std::make_shared<Delivery>(options_, deps_, owner(), std::move(letter), record.offset));
}

// Without names of tenants the one stream of a signal may hold all of its share.
bool PartitionLane::within_share(std::string_view tenant, std::size_t bytes) const {
  return !deps_.ledger.has_tenants(options_.signal) ||
         deps_.shares.within_tenant_share({options_.signal, std::string(tenant)}, 2 * bytes);
}

// `bytes` in all, of which a record of `more` bytes of the tenant is new.
bool PartitionLane::acquire(std::string_view tenant, std::size_t bytes, std::size_t more) {
  const bool fair = fills_range() || within_share(tenant, more);
  if (fair && deps_.shares.may_hold(options_.signal, permit_.bytes(), bytes) &&
      permit_.grow_to(bytes)) {
    account();
    return true;
  }
  // What is here already goes out, and gives its memory back.
  if (fills_range()) {
    yield_memory();
  } else if (!merger_.empty()) {
    seal();
  }
  deps_.events.no_memory();
  wants_memory_ = true;
  return false;
}

// A planned cut is half-filled and memory is short.
void PartitionLane::yield_memory() {
  OpenRange range = reread_->ranges.front();
  if (!deps_.shares.take_turn(this)) {
    // Another lane's first; this one is read again.
    reread_->next = merger_.first();
    forget_filling();
    end_.reset();
    yielded_ = true;
    deps_.executor.post_after(kYieldTime, [this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.lock() || draining_ || !std::exchange(yielded_, false)) return;
      host_.on_rewind(reread_->next);
    });
  } else if (deps_.budget.used() <= permit_.bytes()) {
    // Larger than all there is: planned under another limit. It goes in parts under new names.
    const std::int64_t next = merger_.last() + 1;
    seal();
    range.offsets.first = next;
    reread_->ranges.push_front(std::move(range));
  }
}

// What is being filled is left to the next reading.
void PartitionLane::forget_filling() {
  deps_.events.released(options_.signal, merger_.item_count());
  merger_.clear();
  letters_.clear();
  letter_bytes_ = 0;
  permit_.release();
  account();
}

// Reports to the signal's share what this lane holds.
void PartitionLane::account() {
  std::size_t bytes = permit_.bytes();
  for (const OpenBatchRange& batch_range : open_) bytes += batch_range.permit.bytes();
  deps_.shares.change(options_.signal, share_used_, bytes);
  share_used_ = bytes;
}

void PartitionLane::begin_linger() {
  if (!merger_.empty()) return;
  linger_.cancel();
  linger_ = deps_.executor.post_after(options_.linger, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.lock() && !merger_.empty() && !fills_range()) seal();
  });
}

void PartitionLane::seal() {
  linger_.cancel();
  const bool planned_before = fills_range();
  const bool again = reread_ && reread_->reading;
  BatchRange batch_range = merger_.take();
  std::optional<OpenRange::Parts> parts;
  if (planned_before) {
    parts = std::move(reread_->ranges.front().parts);
    reread_->ranges.pop_front();
    deps_.shares.end_turn(this);
  }
  OpenBatchRange open;
  open.again = again;
  open.planned = planned_before;
  open.range = {batch_range.first, batch_range.last};
  open.run = (again ? reread_->tracker : tracker_)
                 .begin(batch_range.first, batch_range.last, batch_range.timestamp_ms);
  // What is read again for a tenant alone is sent without a plan.
  if (!again || planned_before) open.number = ++range_count_;
  open.permit = std::exchange(permit_, deps_.budget.empty_permit());
  const std::string origin = options_.topic + ":" + std::to_string(options_.partition);
  open.batches = batch_range.batches.size() + letters_.size();
  for (MergedBatch& batch : batch_range.batches) {
    const std::int64_t first = batch.records.front().offset;
    const std::int64_t last = batch.records.back().offset;
    const OpenBatch* rest = parts ? find_batch(*parts, batch.tenant) : nullptr;
    const TenantBatch* known = rest == nullptr && again && (parts || !planned_before)
                                   ? batch_at(batch.tenant, {first, last})
                                   : nullptr;
    const bool settled = parts && rest == nullptr && known == nullptr;
    const bool held = !again && is_deferred(batch.tenant, first);
    if (settled || held) {
      if (held) open.dropped.push_back(whole_batch(batch.tenant, {first, last}, batch.item_count));
      deps_.events.released(options_.signal, batch.item_count);
      continue;
    }
    if (known != nullptr && known->offsets.first == first) rest = &known->batch;
    std::string identity;
    if (options_.batch_identity) {
      identity = batch_identity(options_.topic, options_.partition, batch_range.first,
                                batch_range.last, batch.tenant);
    }
    deps_.ledger.add_tenant({options_.signal, batch.tenant});
    std::vector<ItemRange> open_items;
    if (rest != nullptr && rest->item_count == batch.item_count) open_items = rest->open;
    open.deliveries.push_back(std::make_shared<Delivery>(options_, deps_, owner(), std::move(batch),
                                                         origin, std::move(identity), open_items));
  }
  for (auto& letter : letters_) {
    const bool written = parts && std::find(parts->letters.begin(), parts->letters.end(),
                                            letter->first_offset()) == parts->letters.end();
    if (!written) open.deliveries.push_back(std::move(letter));
  }
  letters_.clear();
  letter_bytes_ = 0;
  if (open.deliveries.empty()) schedule_collect();
  open_.push_back(std::move(open));
  if (options_.batch_identity && plan_pending()) host_.on_plan();
  pump();
}

// --- Sending ---

// What stalls makes room for others.
std::size_t PartitionLane::in_flight() const {
  std::size_t count = 0;
  for_deliveries(
      [&count](const Delivery& d) { count += d.started() && !d.done() && !d.stalled() ? 1 : 0; });
  return count;
}

// At most one beyond the limit, however many wait for another batch to pass. With a limit of one,
// batches of a tenant keep their order, also while it stalls.
void PartitionLane::pump() {
  if (draining_) return;
  const bool ordered = options_.max_in_flight == 1;
  bool extra = false;
  std::set<std::string_view> busy;
  for_deliveries([&](const Delivery& d) {
    extra = extra || d.needs_control_batch();
    if (ordered && d.started() && !d.done()) busy.insert(d.stream().tenant);
  });
  const std::size_t limit = options_.max_in_flight + (extra ? 1 : 0);
  std::size_t count = in_flight();
  for (const OpenBatchRange& batch_range : open_) {
    if (options_.batch_identity && batch_range.number > planned_) return;
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->started()) continue;
      if (count >= limit) return;
      if (ordered && !busy.insert(delivery->stream().tenant).second) {
        if (!extra) continue;
        extra = false;
      }
      ++count;
      delivery->start();
    }
  }
}

void PartitionLane::schedule_collect() {
  if (std::exchange(collect_scheduled_, true)) return;
  deps_.executor.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.lock()) return;
    collect_scheduled_ = false;
    collect();
  });
}

void PartitionLane::collect() {
  for (OpenBatchRange& batch_range : open_) {
    auto& deliveries = batch_range.deliveries;
    const std::size_t before = deliveries.size();
    deliveries.erase(std::remove_if(deliveries.begin(), deliveries.end(),
                                    [](const auto& delivery) { return delivery->done(); }),
                     deliveries.end());
    if (deliveries.empty()) {
      (batch_range.again ? reread_->tracker : tracker_).finish(batch_range.run);
    } else if (deliveries.size() < before) {
      std::size_t bytes = 0;
      for (const auto& delivery : deliveries) bytes += 2 * delivery->bytes();
      batch_range.permit.shrink_to(bytes);
    }
  }
  std::erase_if(open_,
                [](const OpenBatchRange& batch_range) { return batch_range.deliveries.empty(); });
  collect_letter_stalls();
  skip_to_end();
  end_reread();
  account();
  pump();
  if (refused_ && has_room()) {
    refused_ = false;
    host_.on_room();
  }
  if (draining_ && !drained_) {
    bool busy = false;
    for_deliveries([&busy](const Delivery& d) { busy = busy || d.busy(); });
    if (busy) return;
    drained_ = true;
    host_.on_drained();
  }
}

// --- Stalling ---

void PartitionLane::on_stall_begun(const Stream& stream) {
  if (stream.signal != options_.signal) return;
  schedule_collect();
  // A short stall is not worth reading again.
  deps_.executor.post_after(kDeferAfter, [this, stream, alive = std::weak_ptr<int>(alive_)] {
    if (alive.lock() && deps_.stalls.stalled(stream)) defer(stream.tenant);
  });
}

void PartitionLane::on_stall_ended(const Stream& stream) {
  if (stream.signal != options_.signal) return;
  note_full_ = false;
  schedule_collect();
  if (deferred_.count(stream.tenant) > 0) read_again_later();
}

bool PartitionLane::reads_again(std::string_view tenant, std::int64_t offset) const {
  if (!reread_) return false;
  const auto found = reread_->tenants.find(tenant);
  return found != reread_->tenants.end() && offset >= found->second;
}

// What has left memory is still to be read again.
bool PartitionLane::unread(std::string_view tenant, std::int64_t offset) const {
  return is_deferred(tenant, offset) ||
         (reread_ && reread_->reading && reads_again(tenant, offset) &&
          offset >= next_to_read_again());
}

bool PartitionLane::is_deferred(std::string_view tenant, std::int64_t offset) const {
  const auto found = deferred_.find(tenant);
  return found != deferred_.end() && offset >= found->second;
}

// Whether the commit can still say what is done if this tenant is left out from here on.
bool PartitionLane::may_defer(std::string_view tenant, std::int64_t from) const {
  if (draining_ || (tenant.empty() && !deps_.ledger.has_tenants(options_.signal))) return false;
  CommitNote with = note(Detail::kCompact);
  with.tenants.emplace(tenant, from);
  return encode_commit_note(with, std::min(position(), from)).size() + kNoteSpare <= kNoteBytesMax;
}

// Of a stalled tenant only its oldest batches stay, to probe with. Never dropped are those that
// wait for an answer, or of which a part is done, nor anything before them.
void PartitionLane::defer(const std::string& tenant) {
  if (draining_ || fills_range()) return;
  if (!merger_.empty()) seal();
  std::vector<std::shared_ptr<Delivery>> ours;
  for (const OpenBatchRange& batch_range : open_) {
    if (batch_range.number > planned_ && options_.batch_identity)
      continue;  // Its plan is being committed.
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->stream().tenant == tenant && !delivery->is_letter()) {
        ours.push_back(delivery);
      }
    }
  }
  std::sort(ours.begin(), ours.end(),
            [](const auto& a, const auto& b) { return a->first_offset() < b->first_offset(); });
  std::size_t keep = std::min(kStalledMax, ours.size());
  for (std::size_t i = keep; i < ours.size(); ++i) {
    if (!ours[i]->droppable()) keep = i + 1;
  }
  std::optional<std::int64_t> from;
  if (keep < ours.size()) from = ours[keep]->first_offset();
  if (reread_ && reread_->reading) {
    const bool batches =
        std::any_of(reread_->batches.begin(), reread_->batches.end(),
                    [&](const TenantBatch& batch) { return batch.batch.tenant == tenant; });
    if (batches) return;  // What is settled between them would be read again.
    if (const auto found = reread_->tenants.find(tenant); found != reread_->tenants.end()) {
      const std::int64_t unread = std::max(reread_->next, found->second);
      from = std::min(from.value_or(unread), unread);
    }
  }
  if (!from) return;
  for (const auto& delivery : ours) {
    if (delivery->first_offset() >= *from && delivery->droppable()) drop(*delivery);
  }
  const auto [entry, fresh] = deferred_.emplace(tenant, *from);
  if (!fresh) entry->second = std::min(entry->second, *from);
  schedule_collect();
}

void PartitionLane::drop(const Delivery& delivery) {
  const TenantBatch batch =
      whole_batch(delivery.stream().tenant, {delivery.first_offset(), delivery.last_offset()},
                  delivery.item_count());
  for (OpenBatchRange& batch_range : open_) {
    if (std::erase_if(batch_range.deliveries,
                      [&](const auto& known) { return known.get() == &delivery; }) == 0) {
      continue;
    }
    batch_range.dropped.push_back(batch);
    std::size_t bytes = 0;
    for (const auto& left : batch_range.deliveries) bytes += 2 * left->bytes();
    batch_range.permit.shrink_to(bytes);
  }
}

void PartitionLane::read_again_later() {
  if (deferred_.empty() || reread_ || draining_) return;
  reread_timer_.cancel();
  reread_timer_ =
      deps_.executor.post_after(reread_backoff_.next(), [this, alive = std::weak_ptr<int>(alive_)] {
        if (alive.lock()) read_again();
      });
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
    if (deferred_.count(tenant) > 0) read_again_later();
  }
}

// --- Committing, draining, telling ---

std::int64_t PartitionLane::position() const {
  std::int64_t position = tracker_.position();
  for (const auto& [tenant, from] : deferred_) position = std::min(position, from);
  if (reread_) position = std::min(position, reread_position());
  return position;
}

std::int64_t PartitionLane::reread_position() const {
  const std::int64_t position =
      reread_->tracker.idle() ? reread_->next : reread_->tracker.position();
  return reread_->reading && !merger_.empty() ? std::min(position, merger_.first()) : position;
}

// Nothing when nothing of the range is settled.
std::optional<OpenRange::Parts> PartitionLane::open_parts(const OpenBatchRange& batch_range) const {
  const bool untouched =
      batch_range.deliveries.size() == batch_range.batches &&
      std::all_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                  [](const auto& delivery) { return delivery->untouched() && !delivery->done(); });
  if (untouched) return std::nullopt;
  OpenRange::Parts parts;
  for (const auto& delivery : batch_range.deliveries) {
    if (delivery->done()) continue;
    if (delivery->is_letter()) {
      parts.letters.push_back(delivery->first_offset());
    } else {
      parts.batches.push_back(
          {delivery->stream().tenant, delivery->item_count(), delivery->open_items()});
    }
  }
  for (const TenantBatch& dropped : batch_range.dropped) {
    if (unread(dropped.batch.tenant, dropped.offsets.first)) parts.batches.push_back(dropped.batch);
  }
  return parts;
}

std::int64_t PartitionLane::next_to_read_again() const {
  return merger_.empty() ? reread_->next : std::min(reread_->next, merger_.first());
}

// What the second pass has not settled, besides its ranges.
void PartitionLane::note_reread(CommitNote& note, Detail detail) const {
  if (!reread_) return;
  const bool letters =
      std::any_of(open_.begin(), open_.end(), [](const OpenBatchRange& batch_range) {
        return batch_range.again && !batch_range.planned &&
               std::any_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                           [](const auto& delivery) { return delivery->is_letter(); });
      });
  const bool exact = detail == Detail::kExact && !letters;
  const std::int64_t unread = exact ? next_to_read_again() : reread_position();
  if (!exact || reread_->reading) {
    for (const auto& [tenant, from] : reread_->tenants)
      except(note, tenant, std::max(from, unread));
  }
  if (reread_->reading) {
    for (const TenantBatch& batch : reread_->batches) {
      if (batch.offsets.last < unread) continue;
      if (exact) {
        note.batches.push_back(batch);
      } else {
        except(note, batch.batch.tenant, batch.offsets.first);
      }
    }
  }
  for (const OpenBatchRange& batch_range : open_) {
    if (!batch_range.again || batch_range.planned) continue;
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->done() || delivery->is_letter()) continue;
      const std::string& tenant = delivery->stream().tenant;
      if (exact) {
        note.batches.push_back({{delivery->first_offset(), delivery->last_offset()},
                                {tenant, delivery->item_count(), delivery->open_items()}});
      } else {
        except(note, tenant, delivery->first_offset());
      }
    }
  }
}

CommitNote PartitionLane::note(Detail detail) const {
  CommitNote note;
  for (const auto& [tenant, from] : deferred_) except(note, tenant, from);
  note_reread(note, detail);
  const auto add = [&](const OpenBatchRange& batch_range) {
    OpenRange& range = note.ranges.emplace_back();
    range.offsets = batch_range.range;
    if (detail == Detail::kExact) range.parts = open_parts(batch_range);
  };
  for (const OpenBatchRange& batch_range : open_) {
    if (batch_range.again && batch_range.planned) add(batch_range);
  }
  if (reread_) {
    for (const OpenRange& range : reread_->ranges) {
      note.ranges.push_back(range);
      if (detail == Detail::kCompact) note.ranges.back().parts.reset();
    }
  }
  for (const OpenBatchRange& batch_range : open_) {
    if (batch_range.again) continue;
    if (detail == Detail::kExact || options_.batch_identity || !waits_for_stalls(batch_range)) {
      add(batch_range);
      continue;
    }
    // The other tenants of this cut are done.
    for (const auto& delivery : batch_range.deliveries) {
      except(note, delivery->stream().tenant, delivery->first_offset());
    }
  }
  note.end = tracker_.end();
  const auto trim = [&] {
    if (note.ranges.size() > kNoteRangesMax) return true;
    return !options_.batch_identity && !note.ranges.empty() && !note.ranges.back().parts &&
           note.ranges.back().offsets.last + 1 == note.end;
  };
  while (trim()) {
    note.end = note.ranges.back().offsets.first;
    note.ranges.pop_back();
  }
  return note;
}

// Some of its tenants are done and the others stall: these can be read again by themselves.
bool PartitionLane::waits_for_stalls(const OpenBatchRange& batch_range) const {
  return !batch_range.deliveries.empty() && batch_range.deliveries.size() < batch_range.batches &&
         std::all_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                     [this](const auto& delivery) {
                       return delivery->stalled() && delivery->droppable() &&
                              deps_.stalls.stalled(delivery->stream());
                     });
}

std::optional<PartitionLane::Commit> PartitionLane::commit() const {
  Commit commit;
  commit.offset = position();
  commit.planned = range_count_;
  if (options_.batch_identity && reread_) commit.planned += reread_->ranges.size();
  commit.metadata = encode_commit_note(note(Detail::kExact), commit.offset);
  if (commit.metadata.size() > kNoteBytesMax) {
    commit.metadata = encode_commit_note(note(Detail::kCompact), commit.offset);
  }
  if (commit.metadata.size() > kNoteBytesMax) commit.metadata.clear();
  if (commit.offset == committed_ && commit.metadata == committed_metadata_) return std::nullopt;
  return commit;
}

void PartitionLane::on_committed(const Commit& commit) {
  committed_ = commit.offset;
  committed_metadata_ = commit.metadata;
  if (!options_.batch_identity) return;
  planned_ = std::max(planned_, commit.planned);
  schedule_collect();
}

void PartitionLane::drain() {
  if (std::exchange(draining_, true)) return;
  linger_.cancel();
  reread_timer_.cancel();
  deps_.shares.end_turn(this);
  if (reread_ && reread_->reading && !merger_.empty()) reread_->next = merger_.first();
  forget_filling();
  schedule_collect();
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
  if (reread_) state.oldest_timestamp_ms = reread_->tracker.oldest_timestamp_ms();
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
// read is told by Stalls::status().
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

}  // namespace spanway::kafka_bridge
