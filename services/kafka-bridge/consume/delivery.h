// One merged batch on its way to the destination, until every item of it is delivered or lies in
// the dead-letter topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/kafka-bridge/consume/batch_merger.h"
#include "services/kafka-bridge/consume/batch_piece.h"
#include "services/kafka-bridge/consume/dead_letters.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/kafka-bridge/consume/lane_context.h"
#include "services/kafka-bridge/consume/request_coalescer.h"
#include "services/kafka-bridge/consume/retry_policy.h"
#include "services/kafka-bridge/consume/stalls.h"
#include "services/kafka-bridge/consume/suspects.h"
#include "services/lib/base/executor.h"

namespace spanway::kafka_bridge {

// The lane that a delivery belongs to; outlives it.
class DeliveryOwner {
 public:
  virtual ~DeliveryOwner() = default;
  // The delivery is done, or sends nothing any more, or can or cannot write its dead letter. May
  // destroy nothing synchronously.
  virtual void on_changed() = 0;
  // Nothing more is to be sent.
  virtual bool draining() const = 0;
};

// Single-thread: everything on the executor; answers of the sink are posted there, and dropped when
// they come after its end.
class Delivery final : public ProbeCandidate,
                       private EvidenceListener,
                       public std::enable_shared_from_this<Delivery> {
 public:
  // `identity` is empty where none is needed. The permit covers the payload twice: what is kept for
  // retries and what is sent. `open`: the items that are not settled yet, where it is not all.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           MergedBatch batch, std::string origin, std::string identity,
           const std::vector<ItemRange>& open = {});
  // Nothing to deliver: only a dead letter to write. `payload` belongs to `letter`.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           DeadLetter letter, std::int64_t offset);
  // Items that are not settled count as released.
  ~Delivery() override;

  void start();
  bool started() const noexcept { return state_ != State::kNew; }
  bool done() const noexcept { return state_ == State::kDone; }
  // Waiting for the destination's or the dead-letter topic's answer.
  bool busy() const noexcept {
    return state_ == State::kSending || state_ == State::kWritingDeadLetter;
  }
  // Counts in `max_in_flight_per_partition`: begun, neither done nor stalled.
  bool holds_slot() const noexcept { return started() && !done() && !stalled(); }
  // Since when the destination has not answered; nothing when it need not.
  std::optional<SteadyTime> unanswered_since() const noexcept {
    return state_ == State::kSending ? std::optional(sent_at_) : std::nullopt;
  }
  // Waits for the end of a stall.
  bool stalled() const noexcept { return state_ == State::kStalled; }
  // Only another batch can show whether this one or the destination is at fault.
  bool needs_control_batch() const noexcept { return needs_control_batch_; }
  // The last refusal, while this batch fails and others of its stream are accepted; null otherwise.
  const Error* failing_alone() const noexcept {
    return failing_alone_ ? &*failing_alone_ : nullptr;
  }
  SteadyTime refused_first() const noexcept { return refused_first_; }
  const Stream& stream() const noexcept { return stream_; }
  bool is_letter() const noexcept { return letter_ != nullptr; }
  // Offset of its first record.
  std::int64_t first_offset() const noexcept { return first_offset_; }
  // Offset of its last record; not for a letter.
  std::int64_t last_offset() const noexcept { return batch_.records.back().offset; }
  std::uint64_t item_count() const noexcept { return batch_.item_count; }
  // Nothing of it is settled or on its way: it can be read again instead of being kept.
  bool droppable() const noexcept {
    return untouched() && !busy() && pieces_.size() == 1 && pieces_.front().full_batch &&
           suspects_.empty() && !letter_error_ && !letter_;
  }
  bool untouched() const noexcept { return settled_items_ == 0; }
  // Items that are not settled, increasing: a restart delivers these.
  std::vector<ItemRange> open_items() const;
  // How many items are neither delivered nor dead-lettered.
  std::uint64_t items_in_flight() const noexcept;
  std::size_t bytes() const noexcept;
  // Why its dead letter cannot be written, and since when; null otherwise.
  const Error* letter_error() const noexcept { return letter_error_ ? &*letter_error_ : nullptr; }
  SteadyTime letter_failing_since() const noexcept { return letter_failing_since_; }
  // For /statusz: how often its front piece was sent, and what it waits for, a literal.
  std::uint64_t attempts() const noexcept;
  const char* waits_for() const noexcept;
  SteadyTime created() const noexcept { return created_; }

  // ProbeCandidate:
  bool can_probe() const noexcept override { return stalled() && !owner_.draining(); }
  bool probing() const noexcept override { return probing_; }
  std::uint64_t refusals() const noexcept override;
  void probe() override;
  void resume() override;

 private:
  enum class State { kNew, kStalled, kSending, kWaiting, kWritingDeadLetter, kDone };

  void send_front();
  void send_next();
  void on_answer(Result<DeliveryResult> result);
  void on_accepted(const DeliveryResult& result);
  void on_refused(Error error);
  void on_circuit_open(const Error& error);
  Refused classify_refusal(const BatchPiece& piece, const Error& error) const;
  void note_refusal(BatchPiece& piece, const Error& error);
  void act(Step step, Error error);
  void act_on_undivided(Error error);
  void continue_halved(const Error& error);
  void stall(const Error& error);
  void wait_and_retry(const Error& error);
  void rotate();
  Status halve();
  void suspect(Error error);
  bool settle_suspects();
  void await_evidence();
  void end_await();
  void on_evidence(const Stream& stream) override;
  void keep_open(const std::vector<ItemRange>& open);
  void account();
  void dead_letter(DeadLetterCause cause, std::string error, std::string rejected);
  void on_dead_letter_written(const std::shared_ptr<const DeadLetter>& letter, Status status);
  void write_letter(const std::shared_ptr<const DeadLetter>& letter);
  void drop_front();
  void set_state(State state);
  void log_state() const;
  void set_idle(State state);
  std::string origin_of(const BatchPiece& piece, bool range) const;
  std::string identity_of(const BatchPiece& piece) const;

  const LaneOptions& options_;
  const LaneDeps& deps_;
  DeliveryOwner& owner_;
  const std::uint64_t id_;  // Identifies the batch in the ledger of this process.
  MergedBatch batch_;       // Its payload is in pieces_.
  const Stream stream_;
  const std::string origin_;
  const std::string identity_;
  const std::int64_t first_offset_;
  const SteadyTime created_;
  std::deque<BatchPiece> pieces_;
  std::uint64_t settled_items_ = 0;  // Items of the pieces that are settled.
  Suspects suspects_;
  std::shared_ptr<const DeadLetter> letter_;  // Set when there is only a letter to write.
  State state_ = State::kNew;
  Backoff backoff_;
  Timer timer_;
  // Counts what was sent: a late answer to something else is recognised by it.
  std::uint64_t sequence_ = 0;
  SteadyTime sent_at_;
  SteadyTime refused_first_;
  std::optional<Error> failing_alone_;
  std::size_t burst_ = 0;  // Pieces sent at once since the last acceptance.
  bool probing_ = false;
  bool needs_control_batch_ = false;
  std::optional<Error> letter_error_;
  SteadyTime letter_failing_since_;
  std::size_t share_ = 0;    // Bytes reported to BudgetShares.
  bool awaiting_ = false;    // Subscribed to the ledger.
  bool reconsider_ = false;  // Another check of the suspects is posted.
};

}  // namespace spanway::kafka_bridge
