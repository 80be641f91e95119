#include "services/kafka-bridge/consume/delivery.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "services/kafka-bridge/consume/batch_halves.h"
#include "services/lib/base/check.h"
#include "services/lib/pipeline/batch_identity.h"

namespace spanway::kafka_bridge {
namespace {

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
      created_(deps.executor.clock().now()),
      suspects_(stream_, id_, deps.ledger),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  BatchPiece full_piece;
  full_piece.payload = std::move(batch_.payload);
  full_piece.items.count = batch_.item_count;
  pieces_.push_back(std::move(full_piece));
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
      created_(deps.executor.clock().now()),
      suspects_(stream_, id_, deps.ledger),
      backoff_(backoff_options(options.retry), Random(deps.random.next())) {
  BatchPiece full_piece;
  full_piece.payload.add(std::make_shared<const Bytes>(std::move(letter.payload)));
  full_piece.items.count = batch_.item_count = letter.item_count;
  pieces_.push_back(std::move(full_piece));
  letter_ = std::make_shared<const DeadLetter>(std::move(letter));
  account();
}

Delivery::~Delivery() {
  timer_.cancel();
  end_await();
  deps_.events.released(options_.signal, items_in_flight());
  deps_.shares.change(stream_, share_, 0);
}

// The rest was settled in an earlier assignment. When the parts cannot be had, everything is
// delivered again. All of the batch is no part: it has the same name as before.
void Delivery::keep_open(const std::vector<ItemRange>& open) {
  if (open.size() == 1 && open.front() == ItemRange{0, batch_.item_count}) return;
  auto parts = batch_parts(options_.signal, pieces_.front().payload.in_one(), batch_.item_count,
                           open, &deps_.budget);
  if (!parts.ok() || parts->empty()) return;
  pieces_.clear();
  settled_items_ = batch_.item_count;
  for (BatchPart& part : *parts) {
    BatchPiece piece;
    piece.full_batch = false;
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
  piece.others_accepted_between =
      piece.first_refusal && deps_.ledger.accepted_after(stream_, piece.last_refusal);
  piece.sent = deps_.ledger.send();
  DeliveryRequest request;
  request.signal = options_.signal;
  request.tenant = batch_.tenant;
  request.payload = piece.payload;
  request.item_count = piece.items.count;
  request.batch_id = identity_of(piece);
  request.alone = probing_ || piece.first_refusal.has_value();
  set_state(State::kSending);
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
  // joined, every part is kept, because the destination does not say which one the rejected items
  // are in.
  if (result.rejected > 0) {
    deps_.events.rejected(options_.signal, result.rejected, result.message);
  }
  if (!options_.copy_partial) {
    drop_front();
    return;
  }
  dead_letter(DeadLetterCause::kPartial,
              result.message.empty() ? "the destination gave no reason" : result.message,
              std::to_string(result.request_rejected) + "/" + std::to_string(result.request_items));
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
  set_state(State::kWritingDeadLetter);
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
  deps_.dead_letters.write(std::move(copy), [answers_on = deps_.answers_on, self = weak_from_this(),
                                             letter](Status status) {
    answers_on->post([self, letter, answer = std::move(status)]() mutable {
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

std::uint64_t Delivery::attempts() const noexcept {
  if (!pieces_.empty()) return pieces_.front().attempts;
  return suspects_.empty() ? 0 : suspects_.all().front().piece.attempts;
}

const char* Delivery::waits_for() const noexcept {
  switch (state_) {
    case State::kNew:
      return "other batches in flight";
    case State::kStalled:
      return "probe";
    case State::kSending:
      return "answer";
    case State::kWritingDeadLetter:
      return "dead letter";
    case State::kWaiting:
      break;
    case State::kDone:
      return "";
  }
  if (letter_error_) return "retry of the dead letter";
  return awaiting_ ? "another batch to be accepted" : "backoff";
}

void Delivery::set_state(State state) {
  state_ = state;
  if (deps_.events.log().enabled(telemetry::LogLevel::kDebug)) log_state();
}

// A site for each state, so that the rate limit of one does not hide the others.
void Delivery::log_state() const {
  constexpr const char* kSites[] = {"kafka_bridge_batch_new",     "kafka_bridge_batch_stalled",
                                    "kafka_bridge_batch_sending", "kafka_bridge_batch_waiting",
                                    "kafka_bridge_batch_letter",  "kafka_bridge_batch_done"};
  constexpr const char* kNames[] = {"new",     "stalled",        "sending",
                                    "waiting", "dead-lettering", "done"};
  const auto state = static_cast<std::size_t>(state_);
  deps_.events.log().limited(telemetry::LogLevel::kDebug, kSites[state], "Batch changed its state",
                             {{"topic", options_.topic},
                              {"partition", options_.partition},
                              {"first_offset", first_offset_},
                              {"tenant", stream_.tenant},
                              {"state", kNames[state]},
                              {"waits_for", waits_for()},
                              {"attempts", attempts()},
                              {"open_pieces", std::uint64_t{pieces_.size() + suspects_.size()}},
                              {"open_items", items_in_flight()}});
}

void Delivery::set_idle(State state) {
  set_state(state);
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
  if (identity_.empty() || piece.full_batch) return identity_;
  return pipeline::to_string({identity_, piece.items.first, piece.items.count});
}

}  // namespace spanway::kafka_bridge
