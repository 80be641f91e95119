#include "services/kafka-bridge/consume/partition_lane.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/batch_plan.h"

namespace spanway::kafka_bridge {
namespace {

// Ranges that are not settled: bounds what a lane keeps in order.
constexpr std::size_t kOpenRangesMax = 1024;
// Ranges that wait for a batch in flight to end, or for their plan to be committed.
constexpr std::size_t kWaitingRangesMax = 1;
constexpr std::size_t kWaitingPlannedRangesMax = 8;
// Between the end of a stall and reading again; longer each time it stalls again.
constexpr Duration kRereadInitial = std::chrono::milliseconds(200);
constexpr Duration kRereadMax = std::chrono::minutes(1);

std::string_view tenant_of(const kafka::RecordView& record) {
  std::string_view tenant;
  for (const kafka::HeaderView& header : record.headers) {
    if (header.name == "spanway-tenant") tenant = header.value;
  }
  return tenant;
}

std::vector<std::string> tenants_of(const UnreadRecords& unread) {
  std::vector<std::string> tenants;
  for (const auto& [tenant, stretches] : unread.tenants()) tenants.push_back(tenant);
  return tenants;
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
      settled_floor_(start.offset - 1),
      reread_backoff_({kRereadInitial, kRereadMax, 2.0, 0.5}, Random(deps_.random.next())) {
  deps_.stalls.subscribe(*this);
  const auto note = parse_commit_note(start.metadata, start.offset);
  if (!note) {
    deps_.events.log().warn(
        "Commit metadata cannot be parsed; records after the committed offset are delivered again",
        {{"topic", options_.topic}, {"partition", options_.partition}});
    return;
  }
  settled_floor_ = std::max(start.offset, note->end) - 1;
  if (note->end <= start.offset) return;
  std::vector<KnownRange> known;
  for (const OpenRange& range : note->ranges) known.push_back({range, std::nullopt});
  for (const TenantBatch& batch : note->batches) {
    deps_.ledger.add_tenant({options_.signal, batch.batch.tenant});
    if (batch == unsplit_batch(batch.batch.tenant, batch.offsets, batch.batch.item_count)) {
      unread_.add(batch.batch.tenant, batch.offsets);
    } else {
      known.push_back({{batch.offsets, OpenRange::Parts{{batch.batch}, {}}}, batch.batch.tenant});
    }
  }
  for (const auto& [tenant, from] : note->tenants) {
    deps_.ledger.add_tenant({options_.signal, tenant});
    unread_.add_from(tenant, from);
  }
  reread_.emplace();
  reread_->next = start.offset;
  reread_->end = note->end;
  keep_known(std::move(known));
  tracker_.skip_to(note->end);
}

PartitionLane::~PartitionLane() {
  forget_filling();
  linger_.cancel();
  reread_timer_.cancel();
  slow_timer_.cancel();
  deps_.stalls.unsubscribe(*this);
  deps_.shares.change(options_.signal, share_used_, 0);
  deps_.shares.end_turn(this);
}

bool PartitionLane::has_room() const {
  if (draining_ || yielded_ || open_.size() >= kOpenRangesMax) return false;
  if (options_.batch_identity && open_.size() >= kPlannedRangesMax) return false;
  // Without tenants the whole partition waits for the letter.
  if (!letter_stalls_.empty() && !deps_.ledger.has_tenants(options_.signal)) return false;
  std::size_t waiting = 0;
  for (const OpenBatchRange& batch_range : open_) {
    const bool some_wait = std::any_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                                       [this](const auto& delivery) { return waits(*delivery); });
    waiting += some_wait ? 1 : 0;
  }
  return waiting < (options_.batch_identity ? kWaitingPlannedRangesMax : kWaitingRangesMax);
}

// Waits for a slot, and reading on waits for it. What a stalled or slow tenant has does not count:
// more of it stays in Kafka.
bool PartitionLane::waits(const Delivery& delivery) const {
  return !delivery.started() && !deps_.stalls.stalled(delivery.stream()) &&
         slow_.count(delivery.stream().tenant) == 0;
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
  record_parts_ = RecordParts{};
  switch (place(record)) {
    case Place::kRefuse:
      return refuse();
    case Place::kSkip:
      break;
    case Place::kTake:
      if (!take_parts(record)) return refuse();
      break;
  }
  refused_timestamp_ms_ = 0;
  advance_reread(record.offset + 1);
  return true;
}

bool PartitionLane::take_parts(const kafka::RecordView& record) {
  const Result<ReadRecord> read = reader_.read(options_.signal, record);
  if (!read.ok() && read.error().refusal == Refusal::kTransient) {
    deps_.events.no_memory();
    wants_memory_ = true;
    return false;
  }
  return read.ok() ? take_read(record, *read) : take_undecodable(record, read.error());
}

void PartitionLane::reach_end(std::int64_t offset) {
  end_ = offset;
  skip_to_end();
}

void PartitionLane::skip_to_end() {
  if (!end_ || draining_ || yielded_ || !open_.empty() || !merger_.empty()) return;
  if (reread_ && *end_ >= reread_->end) end_reread();
  if (reread_) return;
  tracker_.skip_to(*end_);
  end_.reset();
}

// Decides about a record: take it, skip it because it is settled or stays in Kafka, or refuse it
// for now.
PartitionLane::Place PartitionLane::place(const kafka::RecordView& record) {
  const std::string_view tenant = tenant_of(record);
  if (reread_ && record.offset >= reread_->end) end_reread();
  return reread_ ? place_again(record, tenant) : place_first(record, tenant);
}

PartitionLane::Place PartitionLane::place_first(const kafka::RecordView& record,
                                                std::string_view tenant) {
  const Place place = place_by_stall(tenant, record);
  if (place != Place::kSkip) return place;
  if (merger_.first_of(tenant)) seal();  // A range has all records of a tenant, or none.
  if (merger_.empty()) {
    tracker_.skip_to(record.offset + 1);
  } else {
    merger_.skip(record.offset, 0);
    filling_shared_ = true;
  }
  return Place::kSkip;
}

bool PartitionLane::take_read(const kafka::RecordView& record, const ReadRecord& read) {
  if (!in_range(record.offset) &&
      !merger_.fits(read.tenant, read.payload.size(), read.item_count)) {
    seal();
    if (!has_room()) return false;
  }
  const bool letter = read.rejected > 0 && record_parts_.letter;
  const std::size_t letter_bytes = letter ? 2 * record.value.size() : 0;
  const std::size_t bytes = merger_.bytes_with(read.tenant, read.payload.size());
  const std::size_t total = bytes + letter_bytes_ + letter_bytes;
  if (!acquire(read.tenant, total, read.payload.size())) return false;
  deps_.events.consumed(options_.signal, record.value.size(), read.item_count + read.rejected);
  begin_linger();
  if (!letter) deps_.events.released(options_.signal, read.rejected);
  if (!record_parts_.items) deps_.events.released(options_.signal, read.item_count);
  if (read.item_count == 0 || !record_parts_.items) {
    merger_.skip(record.offset, record.timestamp_ms);
  } else {
    merger_.add(record.offset, record.timestamp_ms, read.tenant, read.payload, read.item_count);
  }
  if (letter) {
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
  if (record_parts_.letter)
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
  // Send what has been read, so that its memory is released.
  if (fills_range()) {
    yield_memory();
  } else if (!merger_.empty()) {
    seal();
  }
  deps_.events.no_memory();
  wants_memory_ = true;
  return false;
}

// Drops the range being filled: it is read again.
void PartitionLane::forget_filling() {
  deps_.events.released(options_.signal, merger_.item_count());
  merger_.clear();
  letters_.clear();
  letter_bytes_ = 0;
  filling_shared_ = false;
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
  linger_ = deps_.executor.post_after(options_.linger, guard_.wrap([this] {
    if (!merger_.empty() && !fills_range()) seal();
  }));
}

void PartitionLane::seal() {
  linger_.cancel();
  OpenBatchRange open;
  open.again = reread_.has_value();
  std::optional<OpenRange::Parts> parts;
  if (fills_range()) {
    KnownRange& known = reread_->ranges.front();
    open.named = !known.tenant;
    parts = std::move(known.range.parts);
    reread_->ranges.pop_front();
    deps_.shares.end_turn(this);
  } else if (reread_) {
    // Records in memory are no longer unread.
    for (const std::string& tenant : tenants_of(unread_)) {
      if (!passed_over(tenant)) unread_.take_over(tenant, merger_.last() + 1);
    }
  }
  BatchRange batch_range = merger_.take();
  open.shared = std::exchange(filling_shared_, false) || parts;
  open.range = {batch_range.first, batch_range.last};
  open.timestamp_ms = batch_range.timestamp_ms;
  if (!open.again) {
    open.run = tracker_.begin(batch_range.first, batch_range.last, batch_range.timestamp_ms);
    open.number = ++range_count_;  // A range that is read again needs no plan, or has one.
  }
  open.permit = std::exchange(permit_, deps_.budget.empty_permit());
  add_deliveries(open, std::move(batch_range), parts);
  if (open.deliveries.empty()) schedule_collect();
  open_.push_back(std::move(open));
  if (options_.batch_identity && plan_pending()) host_.on_plan();
  pump();
}

// A known range delivers only its `parts`, where it has them.
void PartitionLane::add_deliveries(OpenBatchRange& open, BatchRange&& batch_range,
                                   const std::optional<OpenRange::Parts>& parts) {
  const std::string origin = options_.topic + ":" + std::to_string(options_.partition);
  for (MergedBatch& batch : batch_range.batches) {
    const OpenBatch* rest = parts ? find_batch(*parts, batch.tenant) : nullptr;
    if (parts && rest == nullptr) {
      deps_.events.released(options_.signal, batch.item_count);
      continue;
    }
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
    if (written) continue;
    open.letters = true;
    open.deliveries.push_back(std::move(letter));
  }
  letters_.clear();
  letter_bytes_ = 0;
  open.batches = open.deliveries.size();
}

void PartitionLane::schedule_collect() {
  if (std::exchange(collect_scheduled_, true)) return;
  deps_.executor.post(guard_.wrap([this] {
    collect_scheduled_ = false;
    collect();
  }));
}

void PartitionLane::collect() {
  for (OpenBatchRange& batch_range : open_) {
    auto& deliveries = batch_range.deliveries;
    const std::size_t before = deliveries.size();
    for (const auto& delivery : deliveries) {
      if (delivery->done()) add_settled(*delivery);
    }
    deliveries.erase(std::remove_if(deliveries.begin(), deliveries.end(),
                                    [](const auto& delivery) { return delivery->done(); }),
                     deliveries.end());
    if (deliveries.empty()) {
      if (!batch_range.again) tracker_.finish(batch_range.run);
    } else if (deliveries.size() < before) {
      std::size_t bytes = 0;
      for (const auto& delivery : deliveries) bytes += 2 * delivery->bytes();
      batch_range.permit.shrink_to(bytes);
    }
  }
  std::erase_if(open_,
                [](const OpenBatchRange& batch_range) { return batch_range.deliveries.empty(); });
  prune_settled();
  collect_letter_stalls();
  skip_to_end();
  find_slow();
  read_again_later();
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

void PartitionLane::drain() {
  if (std::exchange(draining_, true)) return;
  linger_.cancel();
  reread_timer_.cancel();
  slow_timer_.cancel();
  deps_.shares.end_turn(this);
  if (reread_) reread_->next = next_to_read_again();
  forget_filling();
  schedule_collect();
}

}  // namespace spanway::kafka_bridge
