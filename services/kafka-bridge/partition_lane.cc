#include "services/kafka-bridge/partition_lane.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/cut_plan.h"

namespace spanway::kafka_bridge {
namespace {

// Cuts that are done but wait for one before them: bounds what a restart would repeat.
constexpr std::size_t kCutsAheadMax = 1024;
// Cuts that are made and wait: for a batch in flight to end, or for their plan to be committed.
constexpr std::size_t kWaitingCutsMax = 1;
constexpr std::size_t kWaitingPlannedCutsMax = 8;
constexpr Duration kProbeInitial = std::chrono::seconds(1);

// Sinks in this process may need more for a batch than its bytes: lanes leave a quarter to them.
std::size_t share_of(const MemoryBudget& budget) { return budget.limit() - budget.limit() / 4; }

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
      committed_metadata_(start.metadata) {
  if (!options_.batch_identity) return;
  const auto ends = parse_cut_plan(start.metadata, start.offset);
  if (!ends) {
    deps_.events.log().warn("Committed batch plan is not understood; batches are cut anew",
                            {{"topic", options_.topic}, {"partition", options_.partition}});
    return;
  }
  replay_ends_.assign(ends->begin(), ends->end());
  planned_ = replay_ends_.size();
}

PartitionLane::~PartitionLane() {
  linger_.cancel();
  if (stall_) stall_->timer.cancel();
}

// --- Taking records ---

bool PartitionLane::has_room() const {
  if (draining_ || stall_ || dead_letter_error_ || open_.size() >= kCutsAheadMax) return false;
  if (options_.batch_identity && open_.size() >= kPlannedCutsMax) return false;
  std::size_t waiting = 0;
  for (const OpenCut& cut : open_) {
    const bool waits = std::any_of(cut.deliveries.begin(), cut.deliveries.end(),
                                   [](const auto& delivery) { return !delivery->started(); });
    waiting += waits ? 1 : 0;
  }
  return waiting < (options_.batch_identity ? kWaitingPlannedCutsMax : kWaitingCutsMax);
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
  finish_replayed_before(record.offset);
  const Result<ReadRecord> read = reader_.read(options_.signal, record);
  if (!read.ok() && read.error().refusal == Refusal::kTransient) {
    deps_.events.no_memory();
    wants_memory_ = true;
    return refuse();
  }
  const bool taken = read.ok() ? take_read(record, *read) : take_undecodable(record, read.error());
  if (!taken) return refuse();
  refused_timestamp_ms_ = 0;
  deps_.events.consumed(options_.signal, record.value.size());
  finish_replayed_at(record.offset);
  return true;
}

void PartitionLane::reach_end(std::int64_t offset) {
  end_ = offset;
  skip_to_end();
}

void PartitionLane::skip_to_end() {
  if (!end_ || draining_ || !open_.empty() || !merger_.empty() || !letters_.empty()) return;
  finish_replayed_before(*end_);
  if (tracker_.idle() && *end_ > tracker_.position()) {
    tracker_.finish(tracker_.begin(*end_ - 1, *end_ - 1, 0));
  }
  end_.reset();
}

bool PartitionLane::take_read(const kafka::RecordView& record, const ReadRecord& read) {
  const bool replaying = !replay_ends_.empty();
  if (!replaying && !merger_.fits(read.tenant, read.payload.size(), read.item_count)) {
    seal();
    if (!has_room()) return false;
  }
  const std::size_t letter_bytes = read.rejected > 0 ? 2 * record.value.size() : 0;
  const std::size_t bytes = merger_.bytes_with(read.tenant, read.payload.size());
  if (!acquire(bytes + letter_bytes_ + letter_bytes)) return false;
  begin_linger();
  if (read.item_count == 0) {
    merger_.skip(record.offset, record.timestamp_ms);
  } else {
    merger_.add(record.offset, record.timestamp_ms, read.tenant, read.payload, read.item_count);
  }
  if (read.rejected > 0) {
    add_letter(
        record, DeadLetterCause::kInvalidItems, read.tenant, read.reject_message,
        std::to_string(read.rejected) + "/" + std::to_string(read.rejected + read.item_count));
  }
  return true;
}

bool PartitionLane::take_undecodable(const kafka::RecordView& record, const Error& error) {
  if (!acquire(merger_.bytes_held() + letter_bytes_ + 2 * record.value.size())) return false;
  begin_linger();
  merger_.skip(record.offset, record.timestamp_ms);
  add_letter(record, DeadLetterCause::kUndecodable, "", error.message, "");
  return true;
}

void PartitionLane::add_letter(const kafka::RecordView& record, DeadLetterCause cause,
                               std::string_view tenant, std::string error, std::string rejected) {
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
  letter_bytes_ += 2 * record.value.size();
  letters_.push_back(std::make_shared<Delivery>(options_, deps_, owner(), std::move(letter)));
}

bool PartitionLane::acquire(std::size_t bytes) {
  const std::size_t others = deps_.budget.used() - std::min(deps_.budget.used(), permit_.bytes());
  if (others + bytes <= share_of(deps_.budget) && permit_.grow_to(bytes)) return true;
  // What is here already goes out, and gives its memory back.
  if (!merger_.empty() && replay_ends_.empty()) seal();
  deps_.events.no_memory();
  wants_memory_ = true;
  return false;
}

void PartitionLane::begin_linger() {
  if (!merger_.empty() || !replay_ends_.empty()) return;
  linger_.cancel();
  linger_ = deps_.executor.post_after(options_.linger, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.lock() && !merger_.empty() && replay_ends_.empty()) seal();
  });
}

// Repeated cuts end where they ended before the restart, whatever the limits say now.
void PartitionLane::finish_replayed_before(std::int64_t offset) {
  while (!replay_ends_.empty() && offset > replay_ends_.front()) {
    if (merger_.empty()) {  // Its records have gone.
      replay_ends_.pop_front();
      ++cuts_;
    } else {
      seal();
    }
  }
}

void PartitionLane::finish_replayed_at(std::int64_t offset) {
  if (!replay_ends_.empty() && offset == replay_ends_.front()) seal();
}

void PartitionLane::seal() {
  linger_.cancel();
  Cut cut = merger_.take();
  ++cuts_;
  if (!replay_ends_.empty()) replay_ends_.pop_front();
  OpenCut open;
  open.run = tracker_.begin(cut.first, cut.last, cut.timestamp_ms);
  open.number = cuts_;
  open.permit = std::exchange(permit_, deps_.budget.empty_permit());
  const std::string origin = options_.topic + ":" + std::to_string(options_.partition);
  for (MergedBatch& batch : cut.batches) {
    std::string identity;
    if (options_.batch_identity) {
      identity =
          batch_identity(options_.topic, options_.partition, cut.first, cut.last, batch.tenant);
    }
    open.deliveries.push_back(std::make_shared<Delivery>(options_, deps_, owner(), std::move(batch),
                                                         origin, std::move(identity)));
  }
  for (auto& letter : letters_) open.deliveries.push_back(std::move(letter));
  letters_.clear();
  letter_bytes_ = 0;
  if (open.deliveries.empty()) schedule_collect();
  open_.push_back(std::move(open));
  if (options_.batch_identity && plan_pending()) host_.on_plan();
  pump();
}

// --- Sending ---

std::size_t PartitionLane::in_flight() const {
  std::size_t count = 0;
  for_deliveries([&count](const Delivery& d) { count += d.started() && !d.done() ? 1 : 0; });
  return count;
}

void PartitionLane::pump() {
  if (draining_ || stall_) return;
  std::size_t limit = options_.max_in_flight;
  for_deliveries([&limit](const Delivery& d) {
    if (d.needs_neighbour()) ++limit;
  });
  // At most one extra, however many wait for a neighbour.
  limit = std::min(limit, options_.max_in_flight + 1);
  std::size_t count = in_flight();
  for (const OpenCut& cut : open_) {
    if (options_.batch_identity && cut.number > planned_) return;
    for (const auto& delivery : cut.deliveries) {
      if (delivery->started()) continue;
      if (count >= limit) return;
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
  for (OpenCut& cut : open_) {
    if (cut.run == kFinishedRun) continue;
    auto& deliveries = cut.deliveries;
    deliveries.erase(std::remove_if(deliveries.begin(), deliveries.end(),
                                    [](const auto& delivery) { return delivery->done(); }),
                     deliveries.end());
    if (!deliveries.empty()) continue;
    tracker_.finish(cut.run);
    cut.run = kFinishedRun;
    cut.permit.release();
  }
  while (!open_.empty() && open_.front().run == kFinishedRun) open_.pop_front();
  skip_to_end();
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

void PartitionLane::on_done() { schedule_collect(); }

void PartitionLane::on_idle() { schedule_collect(); }

// --- Stalling ---

void PartitionLane::on_stall(const Error& error, bool was_probe) {
  if (!stall_) {
    stall_.emplace(Stall{error, deps_.executor.clock().now(),
                         Backoff({std::min(kProbeInitial, options_.retry.stalled_max),
                                  options_.retry.stalled_max, 2.0, 0.5},
                                 Random(deps_.random.next())),
                         Timer()});
    deps_.events.stalled(options_.topic, options_.partition, error);
    schedule_probe();
    return;
  }
  stall_->error = error;
  if (was_probe) schedule_probe();
}

void PartitionLane::on_probe_failed(const Error& error) {
  if (!stall_) return;
  stall_->error = error;
  schedule_probe();
}

void PartitionLane::schedule_probe() {
  stall_->timer =
      deps_.executor.post_after(stall_->backoff.next(), [this, alive = std::weak_ptr<int>(alive_)] {
        if (alive.lock() && stall_) send_probe();
      });
}

void PartitionLane::send_probe() {
  if (draining_) return;
  std::shared_ptr<Delivery> candidate;
  for (const OpenCut& cut : open_) {
    for (const auto& delivery : cut.deliveries) {
      if (!candidate && delivery->held()) candidate = delivery;
    }
  }
  if (candidate) {
    deps_.events.retried(Refusal::kConfiguration);
    candidate->probe();
  } else {
    schedule_probe();
  }
}

void PartitionLane::on_judged() {
  if (stall_) end_stall();
}

void PartitionLane::end_stall() {
  stall_->timer.cancel();
  deps_.events.resumed(options_.topic, options_.partition,
                       deps_.executor.clock().now() - stall_->since);
  stall_.reset();
  for_deliveries([](Delivery& d) { d.resume(); });
  schedule_collect();
}

void PartitionLane::on_dead_letter(const Error* error) {
  if (error == nullptr) {
    dead_letter_error_.reset();
    schedule_collect();
    return;
  }
  if (!dead_letter_error_) dead_letter_since_ = deps_.executor.clock().now();
  dead_letter_error_ = *error;
}

// --- Committing, draining, telling ---

std::optional<PartitionLane::Commit> PartitionLane::commit() const {
  Commit commit;
  commit.offset = tracker_.position();
  commit.planned = cuts_;
  if (options_.batch_identity) {
    std::vector<std::int64_t> ends = tracker_.open_ends();
    ends.insert(ends.end(), replay_ends_.begin(), replay_ends_.end());
    commit.metadata = encode_cut_plan(ends);
    commit.planned += replay_ends_.size();
  }
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
  if (stall_) stall_->timer.cancel();
  merger_.clear();
  letters_.clear();
  permit_.release();
  schedule_collect();
}

PartitionLane::State PartitionLane::state() const {
  State state;
  state.committed = committed_;
  state.in_flight = in_flight();
  state.bytes = permit_.bytes();
  for (const OpenCut& cut : open_) state.bytes += cut.permit.bytes();
  state.oldest_timestamp_ms = tracker_.oldest_timestamp_ms();
  if (!state.oldest_timestamp_ms && !merger_.empty()) {
    state.oldest_timestamp_ms = merger_.timestamp_ms();
  }
  if (!state.oldest_timestamp_ms && refused_timestamp_ms_ > 0) {
    state.oldest_timestamp_ms = refused_timestamp_ms_;
  }
  const SteadyTime now = deps_.executor.clock().now();
  if (stall_) {
    state.stalled = true;
    state.reason = stall_->error.message;
    state.stalled_for = now - stall_->since;
  } else if (dead_letter_error_) {
    state.stalled = true;
    state.reason = "dead letters cannot be written: " + dead_letter_error_->message;
    state.stalled_for = now - dead_letter_since_;
  }
  return state;
}

}  // namespace spanway::kafka_bridge
