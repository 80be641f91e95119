#include "services/kafka-bridge/consume/delivery.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "services/kafka-bridge/consume/batch_halves.h"
#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {
namespace {

// Pieces of one batch that are not decided, suspects included: each repeats its resource and scope.
constexpr std::size_t kPiecesMax = 64;
// Pieces that are sent without a wait while none is accepted: down to one item of a large batch.
constexpr std::size_t kBurstMax = 16;
// An ordered lane lets another batch pass a transient failure only after this many tries.
constexpr std::int64_t kOrderedTransientTries = 10;

std::uint64_t next_delivery_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

BackoffOptions backoff_options(const RetryConfig& config) {
  return {config.initial, config.max, 2.0, 0.5};
}

}  // namespace

Delivery::Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
                   MergedBatch batch, std::string origin, std::string identity,
                   const std::vector<ItemRange>& open)
    : options_(options),
      deps_(deps),
      owner_(owner),
      id_(next_delivery_id()),
      batch_(std::move(batch)),
      stream_{options.signal, batch_.tenant},
      origin_(std::move(origin)),
      identity_(std::move(identity)),
      first_offset_(batch_.records.empty() ? -1 : batch_.records.front().offset),
      suspects_(stream_, id_, deps.ledger),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  BatchPiece whole;
  whole.payload = std::move(batch_.payload);
  whole.items.count = batch_.item_count;
  pieces_.push_back(std::move(whole));
  if (!open.empty()) keep_open(open);
  account();
}

Delivery::Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
                   DeadLetter letter, std::int64_t offset)
    : options_(options),
      deps_(deps),
      owner_(owner),
      id_(next_delivery_id()),
      stream_{options.signal, letter.tenant},
      first_offset_(offset),
      suspects_(stream_, id_, deps.ledger),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  BatchPiece whole;
  whole.payload.add(std::make_shared<const Bytes>(std::move(letter.payload)));
  whole.items.count = batch_.item_count = letter.item_count;
  pieces_.push_back(std::move(whole));
  letter_ = std::make_shared<const DeadLetter>(std::move(letter));
  account();
}

Delivery::~Delivery() {
  timer_.cancel();
  end_await();
  deps_.events.released(options_.signal, items_in_flight());
  deps_.shares.change(stream_, share_, 0);
}

// An earlier life has settled the rest. When the parts cannot be had, everything is delivered
// again.
void Delivery::keep_open(const std::vector<ItemRange>& open) {
  auto parts = batch_parts(options_.signal, pieces_.front().payload.in_one(), batch_.item_count,
                           open, &deps_.budget);
  if (!parts.ok() || parts->empty()) return;
  pieces_.clear();
  settled_items_ = batch_.item_count;
  for (BatchPart& part : *parts) {
    BatchPiece piece;
    piece.whole = false;
    piece.items = part.items;
    piece.payload.add(std::make_shared<const Bytes>(std::move(part.payload)));
    settled_items_ -= part.items.count;
    pieces_.push_back(std::move(piece));
  }
  deps_.events.released(options_.signal, settled_items_);
}

// Each byte twice: what is kept, and what is sent.
void Delivery::account() {
  const std::size_t bytes = 2 * this->bytes();
  deps_.shares.change(stream_, share_, bytes);
  share_ = bytes;
}

std::size_t Delivery::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const BatchPiece& piece : pieces_) bytes += piece.payload.size();
  for (const Suspect& suspect : suspects_.all()) bytes += suspect.piece.payload.size();
  return bytes;
}

std::uint64_t Delivery::items_in_flight() const noexcept {
  std::uint64_t items = 0;
  for (const BatchPiece& piece : pieces_) items += piece.delivered ? 0 : piece.items.count;
  for (const Suspect& suspect : suspects_.all()) items += suspect.piece.items.count;
  return items;
}

std::vector<ItemRange> Delivery::open_items() const {
  std::vector<ItemRange> open;
  for (const BatchPiece& piece : pieces_) open.push_back(piece.items);
  for (const Suspect& suspect : suspects_.all()) open.push_back(suspect.piece.items);
  std::sort(open.begin(), open.end(),
            [](const ItemRange& a, const ItemRange& b) { return a.first < b.first; });
  std::vector<ItemRange> joined;
  for (const ItemRange& items : open) {
    if (!joined.empty() && joined.back().end() == items.first) {
      joined.back().count += items.count;
    } else {
      joined.push_back(items);
    }
  }
  return joined;
}

std::uint64_t Delivery::refusals() const noexcept {
  return pieces_.empty() ? 0 : static_cast<std::uint64_t>(pieces_.front().tries);
}

void Delivery::start() {
  if (letter_) {
    write_letter(letter_);
  } else {
    send_next();
  }
}

void Delivery::send_next() {
  end_await();
  if (!suspects_.empty() && settle_suspects()) return;
  if (pieces_.empty() && !suspects_.empty()) return await_evidence();
  if (pieces_.empty()) {
    // Every item that was read is delivered or dead-lettered, each once.
    if (settled_items_ != batch_.item_count) count_bug("Delivery: items do not add up");
    return set_idle(State::kDone);
  }
  if (owner_.draining()) return set_idle(State::kStalled);
  if (!probing_) {
    if (const Error* reason = deps_.stalls.reason(stream_)) return stall(*reason);
  }
  send_front();
}

void Delivery::probe() {
  probing_ = true;
  burst_ = 0;
  send_front();
}

void Delivery::resume() {
  if (state_ == State::kStalled) send_next();
}

void Delivery::send_front() {
  BatchPiece& piece = pieces_.front();
  ++piece.attempts;
  piece.others_accepted_before_send =
      piece.first_refusal && deps_.ledger.accepted_after(stream_, *piece.first_refusal);
  piece.sent = deps_.ledger.send();
  DeliveryRequest request;
  request.signal = options_.signal;
  request.tenant = batch_.tenant;
  request.payload = piece.payload;
  request.item_count = piece.items.count;
  request.batch_id = identity_of(piece);
  request.alone = probing_ || piece.first_refusal.has_value();
  state_ = State::kSending;
  sent_at_ = deps_.executor.clock().now();
  deps_.coalescer.send(std::move(request), [self = weak_from_this(),
                                            sequence = ++sequence_](Result<DeliveryResult> result) {
    const auto delivery = self.lock();
    if (delivery && delivery->state_ == State::kSending && delivery->sequence_ == sequence) {
      delivery->on_answer(std::move(result));
    }
  });
}

void Delivery::on_answer(Result<DeliveryResult> result) {
  if (result.ok()) {
    on_accepted(*result);
  } else {
    on_refused(std::move(result).error());
  }
}

void Delivery::on_accepted(const DeliveryResult& result) {
  const BatchPiece& piece = pieces_.front();
  const SteadyTime now = deps_.executor.clock().now();
  double since_produced = -1;
  if (batch_.newest_timestamp_ms > 0) {
    const auto wall = deps_.executor.clock().system_now().time_since_epoch();
    since_produced = std::chrono::duration<double>(wall).count() -
                     static_cast<double>(batch_.newest_timestamp_ms) / 1000.0;
    since_produced = std::max(0.0, since_produced);
  }
  const std::uint64_t rejected = std::min(result.rejected, piece.items.count);
  deps_.events.delivered(options_.signal, piece.items.count - rejected, piece.payload.size(),
                         now - sent_at_, since_produced);
  probing_ = false;
  burst_ = 0;
  backoff_.reset();
  deps_.ledger.accept(stream_, piece.sent);
  deps_.stalls.on_accepted(stream_, piece.sent);
  pieces_.front().delivered = true;
  if (result.request_rejected == 0) {
    drop_front();
    return;
  }
  // Never again: those items were refused for good, the others were taken. Where requests were
  // joined, every part is kept, because nobody says in which one the refused items lay.
  if (result.rejected > 0) {
    deps_.events.rejected(options_.signal, result.rejected, result.message);
  }
  if (!options_.copy_partial) {
    drop_front();
    return;
  }
  dead_letter(DeadLetterCause::kPartial, result.message,
              std::to_string(result.request_rejected) + "/" + std::to_string(result.request_items));
}

// --- Refused ---

void Delivery::on_refused(Error error) {
  BatchPiece& piece = pieces_.front();
  deps_.events.refused(options_.signal, error);
  note_refusal(piece, error);
  const Step step = next_step(options_.retry, judge(piece, error));
  needs_control_batch_ = false;
  act(step, std::move(error));
}

void Delivery::note_refusal(BatchPiece& piece, const Error& error) {
  ++piece.tries;
  piece.only_data = piece.only_data && error.refusal == Refusal::kData;
  const bool first = !piece.first_refusal;
  const bool alone = piece.others_accepted_before_send;
  deps_.ledger.refuse(stream_, id_, first, alone, sent_at_);
  if (first) {
    piece.first_refusal = deps_.ledger.now();
    piece.counts_at_refusal = deps_.ledger.counts(stream_);
    refused_first_ = sent_at_;
  }
  if (alone) failing_alone_ = error;
}

Refused Delivery::judge(const BatchPiece& piece, const Error& error) const {
  Refused refused;
  refused.kind = error.refusal;
  refused.timed_out = error.code == Code::kDeadlineExceeded;
  refused.single_item = piece.items.count <= 1;
  refused.whole = piece.whole;
  refused.probe = probing_;
  refused.tries = piece.tries;
  refused.others_accepted = piece.others_accepted_before_send;
  refused.others_fail = deps_.ledger.others_refused_after(stream_, id_, *piece.first_refusal - 1);
  refused.others_tried = piece.others_tried || pieces_.size() == 1;
  refused.may_halve = pieces_.size() + suspects_.size() < kPiecesMax;
  if (const auto since = deps_.ledger.failing_since(stream_)) {
    refused.failing_for = deps_.executor.clock().now() - *since;
  }
  const EvidenceLedger::Counts counts = deps_.ledger.counts(stream_);
  refused.others.accepted = counts.accepted - piece.counts_at_refusal.accepted;
  refused.others.refused = counts.refused - piece.counts_at_refusal.refused;
  return refused;
}

void Delivery::act(Step step, Error error) {
  switch (step) {
    case Step::kHalve: {
      const Status halved = halve();
      if (halved.ok()) return continue_halved(error);
      if (halved.error().refusal == Refusal::kData) return act_on_undivided(std::move(error));
      if (probing_) return stall(error);  // No memory to do it now.
      return wait_and_retry(error);
    }
    case Step::kSuspect:
      return suspect(std::move(error));
    case Step::kStall:
      if (probing_) return stall(error);
      deps_.stalls.begin(stream_, error);
      return stall(error);
    case Step::kRotate:
      rotate();
      if (error.refusal == Refusal::kData) return continue_halved(error);
      [[fallthrough]];
    case Step::kRetry:
      if (probing_) return stall(error);
      return wait_and_retry(error);
  }
}

// What cannot be cut is treated as the one item that it seems to be.
void Delivery::act_on_undivided(Error error) {
  Refused refused = judge(pieces_.front(), error);
  refused.single_item = true;
  act(next_step(options_.retry, refused), std::move(error));
}

// The destination has judged these bytes and does so fast: the culprit is looked for at once, for a
// number of pieces.
void Delivery::continue_halved(const Error& error) {
  if (error.refusal == Refusal::kData && ++burst_ < kBurstMax) return send_next();
  if (probing_) return stall(error);
  wait_and_retry(error);
}

void Delivery::stall(const Error& error) {
  const bool was_probe = std::exchange(probing_, false);
  if (!deps_.stalls.stalled(stream_)) return wait_and_retry(error);  // Ended meanwhile.
  const std::int64_t tries = pieces_.front().tries;
  if (tries > 0 && pieces_.size() > 1) rotate();  // Another piece is the next probe.
  needs_control_batch_ =
      tries >= (error.refusal == Refusal::kTransient ? kOrderedTransientTries : 2);
  set_idle(State::kStalled);
  deps_.stalls.wait_for_probe(stream_, weak_from_this());
  if (was_probe) deps_.stalls.on_probe_refused(stream_, error);
}

void Delivery::wait_and_retry(const Error& error) {
  set_idle(State::kWaiting);
  if (owner_.draining()) return;
  timer_ = deps_.executor.post_after(retry_wait(options_.retry, backoff_, error.retry_after),
                                     [self = weak_from_this(), kind = error.refusal] {
                                       const auto delivery = self.lock();
                                       if (!delivery || delivery->state_ != State::kWaiting) return;
                                       delivery->deps_.events.retried(kind);
                                       delivery->send_next();
                                     });
}

// Behind the next piece that has not had its turn.
void Delivery::rotate() {
  pieces_.front().others_tried = true;
  BatchPiece front = std::move(pieces_.front());
  pieces_.pop_front();
  const auto fresh = std::find_if(pieces_.begin(), pieces_.end(),
                                  [](const BatchPiece& piece) { return !piece.others_tried; });
  pieces_.insert(fresh == pieces_.end() ? fresh : std::next(fresh), std::move(front));
}

// Nothing changes when it fails.
Status Delivery::halve() {
  BatchPiece& piece = pieces_.front();
  Permit joined = deps_.budget.empty_permit();
  if (piece.payload.all().size() > 1 && !joined.grow_to(piece.payload.size())) {
    return transient_error(Code::kResourceExhausted, "no memory to halve a batch")
        .with_reason("no_memory");
  }
  auto halves =
      halve_batch(options_.signal, piece.payload.in_one(), piece.items.count, &deps_.budget);
  if (!halves.ok()) return std::move(halves).error();
  auto& [first, second] = *halves;
  deps_.events.halved();
  BatchPiece rest;
  rest.payload.add(std::make_shared<const Bytes>(std::move(second.payload)));
  rest.items = {piece.items.first + first.item_count, second.item_count};
  rest.attempts = piece.attempts;
  rest.first_refusal = piece.first_refusal;
  rest.counts_at_refusal = piece.counts_at_refusal;
  rest.only_data = piece.only_data;
  rest.whole = false;
  piece.payload = pipeline::Pieces();
  piece.payload.add(std::make_shared<const Bytes>(std::move(first.payload)));
  piece.items.count = first.item_count;
  piece.tries = 0;
  piece.others_tried = false;
  piece.whole = false;
  pieces_.insert(std::next(pieces_.begin()), std::move(rest));
  account();
  return ok_status();
}

// --- Suspects ---

void Delivery::suspect(Error error) {
  const bool was_probe = std::exchange(probing_, false);
  if (was_probe) deps_.stalls.on_probe_refused(stream_, error);
  BatchPiece piece = std::move(pieces_.front());
  pieces_.pop_front();
  suspects_.add(std::move(piece), std::move(error), deps_.stalls.stalled(stream_),
                deps_.executor.clock().now());
  send_next();
}

// True: a dead letter is on its way, or the batch stalls.
bool Delivery::settle_suspects() {
  if (owner_.draining()) return false;
  auto decided = suspects_.take_decided(deps_.executor.clock().now(), pieces_.empty());
  if (!decided) return false;
  Suspect& suspect = decided->suspect;
  pieces_.push_front(std::move(suspect.piece));
  switch (decided->decide) {
    case Suspects::Decision::kTryAgain:
      return false;
    case Suspects::Decision::kStalls:
      deps_.stalls.begin(stream_, suspect.error);
      stall(suspect.error);
      return true;
    case Suspects::Decision::kConfirmed:
      break;
  }
  dead_letter(suspect.error.refusal == Refusal::kData ? DeadLetterCause::kRefused
                                                      : DeadLetterCause::kUnknown,
              std::move(suspect.error.message), "");
  return true;
}

// Until new evidence comes, or the time at which its absence decides.
void Delivery::await_evidence() {
  needs_control_batch_ = true;
  set_idle(State::kWaiting);
  if (owner_.draining()) return;
  deps_.ledger.subscribe(*this);
  awaiting_ = true;
  const SteadyTime now = deps_.executor.clock().now();
  const auto deadline = suspects_.next_deadline(now);
  if (!deadline) return;
  timer_ = deps_.executor.post_after(*deadline - now, [self = weak_from_this()] {
    const auto delivery = self.lock();
    if (delivery && delivery->state_ == State::kWaiting) delivery->send_next();
  });
}

void Delivery::end_await() {
  if (!std::exchange(awaiting_, false)) return;
  timer_.cancel();
  deps_.ledger.unsubscribe(*this);
}

// The ledger is in the midst of another delivery's answer.
void Delivery::on_evidence(const Stream& stream) {
  if (stream != stream_ || std::exchange(reconsider_, true)) return;
  deps_.executor.post([self = weak_from_this()] {
    const auto delivery = self.lock();
    if (!delivery) return;
    delivery->reconsider_ = false;
    if (delivery->awaiting_) delivery->send_next();
  });
}

void Delivery::dead_letter(DeadLetterCause cause, std::string error, std::string rejected) {
  const BatchPiece& piece = pieces_.front();
  auto letter = std::make_shared<DeadLetter>();
  letter->signal = options_.signal;
  letter->cause = cause;
  letter->tenant = batch_.tenant;
  letter->error = std::move(error);
  letter->origin = origin_of(piece, cause == DeadLetterCause::kPartial);
  letter->partition = options_.partition;
  letter->attempts = piece.attempts;
  letter->rejected = std::move(rejected);
  letter->item_count = piece.items.count;
  write_letter(letter);
}

void Delivery::write_letter(const std::shared_ptr<const DeadLetter>& letter) {
  state_ = State::kWritingDeadLetter;
  DeadLetter copy;
  copy.signal = letter->signal;
  copy.cause = letter->cause;
  copy.payload = pieces_.front().payload.join();
  copy.tenant = letter->tenant;
  copy.error = letter->error;
  copy.origin = letter->origin;
  copy.partition = letter->partition;
  copy.attempts = letter->attempts;
  copy.rejected = letter->rejected;
  copy.item_count = letter->item_count;
  deps_.dead_letters.write(
      std::move(copy), [mailbox = deps_.mailbox, self = weak_from_this(), letter](Status status) {
        mailbox->post([self, letter, answer = std::move(status)]() mutable {
          const auto delivery = self.lock();
          if (delivery && delivery->state_ == State::kWritingDeadLetter) {
            delivery->on_dead_letter_written(letter, std::move(answer));
          }
        });
      });
}

void Delivery::on_dead_letter_written(const std::shared_ptr<const DeadLetter>& letter,
                                      Status status) {
  if (status.ok()) {
    const bool delivered = pieces_.front().delivered;
    deps_.events.dead_lettered(letter->signal, letter->cause, letter->origin, letter->error,
                               delivered ? 0 : pieces_.front().items.count);
    if (std::exchange(letter_error_, std::nullopt)) owner_.on_changed();
    drop_front();
    return;
  }
  deps_.events.dead_letter_failed(status.error());
  if (!letter_error_) letter_failing_since_ = deps_.executor.clock().now();
  letter_error_ = status.error();
  set_idle(State::kWaiting);
  if (owner_.draining()) return;
  timer_ =
      deps_.executor.post_after(retry_wait(options_.retry, backoff_, status.error().retry_after),
                                [self = weak_from_this(), letter] {
                                  const auto delivery = self.lock();
                                  if (!delivery || delivery->state_ != State::kWaiting) return;
                                  if (!delivery->owner_.draining()) delivery->write_letter(letter);
                                });
}

void Delivery::drop_front() {
  settled_items_ += pieces_.front().items.count;
  pieces_.pop_front();
  account();
  needs_control_batch_ = false;
  failing_alone_.reset();
  backoff_.reset();
  send_next();
}

void Delivery::set_idle(State state) {
  state_ = state;
  owner_.on_changed();
}

std::string Delivery::origin_of(const BatchPiece& piece, bool range) const {
  const std::int64_t first = batch_.offset_of(piece.items.first);
  std::string origin = origin_ + ":" + std::to_string(first);
  if (!range) return origin;
  const std::int64_t last = batch_.offset_of(piece.items.end() - 1);
  return last == first ? origin : origin + "-" + std::to_string(last);
}

// The halves of a batch are batches of their own, under names that a repetition finds again.
std::string Delivery::identity_of(const BatchPiece& piece) const {
  if (identity_.empty() || piece.whole) return identity_;
  return identity_ + "~" + std::to_string(piece.items.first) + "+" +
         std::to_string(piece.items.count);
}

}  // namespace spanway::kafka_bridge
