// A delivery that was refused: retry, halve, suspect or stall.
#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/batch_halves.h"
#include "services/kafka-bridge/consume/delivery.h"

namespace spanway::kafka_bridge {
namespace {

// Pieces of one batch that are not decided, suspects included: each repeats its resource and scope.
constexpr std::size_t kPiecesMax = 64;
// Pieces that are sent without a wait while none is accepted: down to one item of a large batch.
constexpr std::size_t kBurstMax = 16;
// An ordered lane lets another batch overtake a transient failure only after this many tries.
constexpr std::int64_t kOrderedTransientTries = 10;

}  // namespace

std::uint64_t Delivery::refusals() const noexcept {
  return pieces_.empty() ? 0 : static_cast<std::uint64_t>(pieces_.front().tries);
}

void Delivery::on_refused(Error error) {
  BatchPiece& piece = pieces_.front();
  deps_.events.refused(options_.signal, error);
  if (is_circuit_open(error)) return on_circuit_open(error);
  note_refusal(piece, error);
  const Step step = next_step(options_.retry, classify_refusal(piece, error));
  needs_control_batch_ = false;
  act(step, std::move(error));
}

// The batch waits, or its stream stalls, as after any transient failure. It is neither halved nor
// suspected: it was not tried.
void Delivery::on_circuit_open(const Error& error) {
  deps_.ledger.refuse(stream_, id_, /*first=*/false, /*explained=*/false, sent_at_);
  needs_control_batch_ = false;
  const SteadyTime now = deps_.executor.clock().now();
  const auto failing_since = deps_.ledger.failing_since(stream_);
  const bool lasts = failing_since && now - *failing_since >= kTransientStall;
  if (!probing_ && !lasts) return wait_and_retry(error);
  if (!probing_) deps_.stalls.begin(stream_, error);
  stall(error);
}

void Delivery::note_refusal(BatchPiece& piece, const Error& error) {
  ++piece.tries;
  piece.only_data = piece.only_data && error.refusal == Refusal::kData;
  const bool first = !piece.first_refusal;
  const bool alone = piece.others_accepted_before_send;
  deps_.ledger.refuse(stream_, id_, first, alone, sent_at_);
  if (first) {
    piece.first_refusal = deps_.ledger.now();
    piece.first_sent = piece.sent;
    piece.counts_at_refusal = deps_.ledger.counts(stream_);
    refused_first_ = sent_at_;
  }
  piece.last_refusal = deps_.ledger.now();
  // The time of a stall says nothing about the piece.
  if (const std::uint64_t stalls = deps_.ledger.stalls(stream_); stalls != piece.stalls) {
    piece.stalls = stalls;
    piece.alone_since.reset();
  }
  if (!alone) return;
  failing_alone_ = error;
  if (piece.others_accepted_between) ++piece.tries_alone;
  if (!piece.alone_since) piece.alone_since = sent_at_;
}

Refused Delivery::classify_refusal(const BatchPiece& piece, const Error& error) const {
  Refused refused;
  refused.kind = error.refusal;
  refused.timed_out = error.code == Code::kDeadlineExceeded;
  refused.single_item = piece.items.count <= 1;
  refused.full_batch = piece.full_batch;
  refused.probe = probing_;
  refused.stored_once = !identity_.empty();
  refused.tries = piece.tries;
  refused.others_accepted = piece.others_accepted_before_send;
  refused.tries_alone = piece.tries_alone;
  if (piece.alone_since) refused.alone_for = sent_at_ - *piece.alone_since;
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

// A piece that cannot be halved is treated as a single item.
void Delivery::act_on_undivided(Error error) {
  Refused refused = classify_refusal(pieces_.front(), error);
  refused.single_item = true;
  act(next_step(options_.retry, refused), std::move(error));
}

// A data error comes fast and without side effects: search for the refused item at once, for up to
// kBurstMax pieces.
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
  rest.last_refusal = piece.last_refusal;
  rest.first_sent = piece.first_sent;
  rest.counts_at_refusal = piece.counts_at_refusal;
  rest.only_data = piece.only_data;
  rest.full_batch = false;
  piece.payload = pipeline::Pieces();
  piece.payload.add(std::make_shared<const Bytes>(std::move(first.payload)));
  piece.items.count = first.item_count;
  piece.tries = piece.tries_alone = 0;
  piece.alone_since.reset();
  piece.others_tried = false;
  piece.full_batch = false;
  pieces_.insert(std::next(pieces_.begin()), std::move(rest));
  account();
  return ok_status();
}

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

}  // namespace spanway::kafka_bridge
