#include "services/kafka-bridge/delivery.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/batch_halves.h"
#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {
namespace {

// Each piece repeats its resource and scope; without a neighbour passing, the destination itself is
// broken and finer pieces tell nothing.
constexpr std::size_t kBlindPiecesMax = 64;

BackoffOptions backoff_options(const RetryConfig& config) {
  return {config.initial, config.max, 2.0, 0.5};
}

}  // namespace

Delivery::Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
                   MergedBatch batch, std::string origin, std::string identity)
    : options_(options),
      deps_(deps),
      owner_(owner),
      batch_(std::move(batch)),
      origin_(std::move(origin)),
      identity_(std::move(identity)),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  Piece whole;
  whole.payload = std::move(batch_.payload);
  whole.item_count = batch_.item_count;
  pieces_.push_back(std::move(whole));
}

Delivery::Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
                   DeadLetter letter)
    : options_(options),
      deps_(deps),
      owner_(owner),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  Piece whole;
  whole.payload.add(std::make_shared<const Bytes>(std::move(letter.payload)));
  pieces_.push_back(std::move(whole));
  first_letter_ = std::make_shared<const DeadLetter>(std::move(letter));
}

Delivery::~Delivery() { timer_.cancel(); }

std::size_t Delivery::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.payload.size();
  return bytes;
}

void Delivery::start() {
  if (first_letter_) {
    write_letter(first_letter_);
  } else {
    send_next();
  }
}

void Delivery::send_next() {
  if (pieces_.empty()) {
    // Every item that was read is delivered or dead-lettered, each once.
    if (settled_items_ != batch_.item_count) count_bug("Delivery: items do not add up");
    state_ = State::kDone;
    owner_.on_done();
    return;
  }
  if (owner_.draining() || !owner_.may_send()) {
    set_idle(State::kHeld);
    return;
  }
  send_front();
}

void Delivery::probe() {
  probing_ = true;
  send_front();
}

void Delivery::resume() {
  if (held()) send_next();
}

void Delivery::send_front() {
  Piece& piece = pieces_.front();
  ++piece.attempts;
  piece.passes_at_send = deps_.passes.of(options_.signal, batch_.tenant);
  Shipment shipment;
  shipment.signal = options_.signal;
  shipment.tenant = batch_.tenant;
  shipment.payload = piece.payload;
  shipment.item_count = piece.item_count;
  shipment.batch_id = identity_of(piece);
  state_ = State::kSending;
  sent_at_ = deps_.executor.clock().now();
  deps_.shipper.ship(std::move(shipment), [self = weak_from_this(),
                                           sequence = ++sequence_](Result<Shipped> result) {
    const auto delivery = self.lock();
    if (delivery && delivery->state_ == State::kSending && delivery->sequence_ == sequence) {
      delivery->on_answer(std::move(result));
    }
  });
}

void Delivery::on_answer(Result<Shipped> result) {
  if (result.ok()) {
    on_accepted(*result);
  } else {
    on_refused(std::move(result).error());
  }
}

void Delivery::on_accepted(const Shipped& shipped) {
  const Piece& piece = pieces_.front();
  const SteadyTime now = deps_.executor.clock().now();
  double since_produced = -1;
  if (batch_.newest_timestamp_ms > 0) {
    const auto wall = deps_.executor.clock().system_now().time_since_epoch();
    since_produced = std::chrono::duration<double>(wall).count() -
                     static_cast<double>(batch_.newest_timestamp_ms) / 1000.0;
    since_produced = std::max(0.0, since_produced);
  }
  const std::uint64_t rejected = std::min(shipped.rejected, piece.item_count);
  deps_.events.delivered(options_.signal, piece.item_count - rejected, piece.payload.size(),
                         now - sent_at_, since_produced);
  deps_.passes.add(options_.signal, batch_.tenant);
  probing_ = false;
  backoff_.reset();
  owner_.on_judged();
  if (shipped.request_rejected == 0) {
    drop_front();
    return;
  }
  // Never again: those items were refused for good, the others were taken. Where requests were
  // joined, every part is kept, because nobody says in which one the refused items lay.
  if (shipped.rejected > 0) {
    deps_.events.rejected(options_.signal, shipped.rejected, shipped.message);
  }
  if (!options_.copy_partial) {
    drop_front();
    return;
  }
  bury(DeadLetterCause::kPartial, shipped.message,
       std::to_string(shipped.request_rejected) + "/" + std::to_string(shipped.request_items));
}

void Delivery::on_refused(Error error) {
  Piece& piece = pieces_.front();
  deps_.events.refused(options_.signal, error);
  if (error.refusal == Refusal::kUnknown) {
    ++piece.unknown_tries;
    if (!piece.passes_at_refusal) piece.passes_at_refusal = piece.passes_at_send;
  }
  Refused refused;
  refused.kind = error.refusal;
  refused.single_item = piece.item_count <= 1;
  refused.unknown_tries = piece.unknown_tries;
  refused.neighbours_pass =
      piece.passes_at_refusal && piece.passes_at_send > *piece.passes_at_refusal;
  refused.others_tried = piece.others_tried || pieces_.size() == 1;
  refused.may_cut_blindly = pieces_.size() < kBlindPiecesMax;
  const Step step = next_step(options_.retry, refused);
  needs_neighbour_ = step == Step::kRotate && pieces_.size() == 1;

  const bool was_probe = std::exchange(probing_, false);
  if (error.refusal == Refusal::kData) {
    owner_.on_judged();
  } else if (was_probe && step != Step::kStall) {
    set_idle(State::kHeld);
    owner_.on_probe_failed(error);
    return;
  }
  switch (step) {
    case Step::kStall:
      set_idle(State::kHeld);
      owner_.on_stall(error, was_probe);
      return;
    case Step::kHalve:
      if (halve()) {
        if (error.refusal == Refusal::kData) return send_next();
        return wait_and_retry(retry_wait(options_.retry, backoff_, error.retry_after),
                              error.refusal);
      }
      [[fallthrough]];  // It has one item after all.
    case Step::kDeadLetter:
      return bury(
          error.refusal == Refusal::kData ? DeadLetterCause::kRefused : DeadLetterCause::kUnknown,
          std::move(error.message), "");
    case Step::kRotate:
      rotate();
      [[fallthrough]];
    case Step::kRetry:
      return wait_and_retry(retry_wait(options_.retry, backoff_, error.retry_after), error.refusal);
  }
}

void Delivery::wait_and_retry(Duration wait, Refusal kind) {
  set_idle(State::kWaiting);
  if (owner_.draining()) return;
  timer_ = deps_.executor.post_after(wait, [self = weak_from_this(), kind] {
    const auto delivery = self.lock();
    if (!delivery || delivery->state_ != State::kWaiting) return;
    delivery->deps_.events.retried(kind);
    delivery->send_next();
  });
}

void Delivery::rotate() {
  pieces_.front().others_tried = true;
  pieces_.push_back(std::move(pieces_.front()));
  pieces_.pop_front();
}

bool Delivery::halve() {
  Piece& piece = pieces_.front();
  auto halves = halve_batch(options_.signal, piece.payload.in_one(), piece.item_count);
  if (!halves) return false;
  auto& [first, second] = *halves;
  deps_.events.halved();
  Piece rest;
  rest.payload.add(std::make_shared<const Bytes>(std::move(second.payload)));
  rest.first_item = piece.first_item + first.item_count;
  rest.item_count = second.item_count;
  rest.attempts = piece.attempts;
  rest.passes_at_refusal = piece.passes_at_refusal;
  rest.whole = false;
  piece.payload = pipeline::Pieces();
  piece.payload.add(std::make_shared<const Bytes>(std::move(first.payload)));
  piece.item_count = first.item_count;
  piece.unknown_tries = 0;
  piece.others_tried = false;
  piece.whole = false;
  pieces_.insert(std::next(pieces_.begin()), std::move(rest));
  return true;
}

void Delivery::bury(DeadLetterCause cause, std::string error, std::string rejected) {
  const Piece& piece = pieces_.front();
  auto letter = std::make_shared<DeadLetter>();
  letter->signal = options_.signal;
  letter->cause = cause;
  letter->tenant = batch_.tenant;
  letter->error = std::move(error);
  letter->origin = origin_of(piece, cause == DeadLetterCause::kPartial);
  letter->partition = options_.partition;
  letter->attempts = piece.attempts;
  letter->rejected = std::move(rejected);
  write_letter(letter);
}

void Delivery::write_letter(const std::shared_ptr<const DeadLetter>& letter) {
  state_ = State::kBurying;
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
  deps_.dead_letters.write(
      std::move(copy), [mailbox = deps_.mailbox, self = weak_from_this(), letter](Status status) {
        mailbox->post([self, letter, answer = std::move(status)]() mutable {
          const auto delivery = self.lock();
          if (delivery && delivery->state_ == State::kBurying) {
            delivery->on_buried(letter, std::move(answer));
          }
        });
      });
}

void Delivery::on_buried(const std::shared_ptr<const DeadLetter>& letter, Status status) {
  if (status.ok()) {
    deps_.events.dead_lettered(letter->signal, letter->cause, letter->origin, letter->error);
    if (std::exchange(burial_failed_, false)) owner_.on_dead_letter(nullptr);
    drop_front();
    return;
  }
  deps_.events.dead_letter_failed(status.error());
  burial_failed_ = true;
  owner_.on_dead_letter(&status.error());
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
  settled_items_ += pieces_.front().item_count;
  pieces_.pop_front();
  needs_neighbour_ = false;
  backoff_.reset();
  send_next();
}

void Delivery::set_idle(State state) {
  state_ = state;
  owner_.on_idle();
}

std::string Delivery::origin_of(const Piece& piece, bool range) const {
  const std::int64_t first = batch_.offset_of(piece.first_item);
  std::string origin = origin_ + ":" + std::to_string(first);
  if (!range) return origin;
  const std::int64_t last = batch_.offset_of(piece.first_item + piece.item_count - 1);
  return last == first ? origin : origin + "-" + std::to_string(last);
}

// The halves of a batch are batches of their own, under names that a repetition finds again.
std::string Delivery::identity_of(const Piece& piece) const {
  if (identity_.empty() || piece.whole) return identity_;
  return identity_ + "~" + std::to_string(piece.first_item) + "+" +
         std::to_string(piece.item_count);
}

}  // namespace spanway::kafka_bridge
