// One merged batch on its way to the destination, until every item of it is delivered or lies in
// the dead-letter topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "services/kafka-bridge/batch_merger.h"
#include "services/kafka-bridge/budget_shares.h"
#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/dead_letters.h"
#include "services/kafka-bridge/events.h"
#include "services/kafka-bridge/evidence.h"
#include "services/kafka-bridge/mailbox.h"
#include "services/kafka-bridge/retry_policy.h"
#include "services/kafka-bridge/shipper.h"
#include "services/kafka-bridge/stalls.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/memory_budget.h"

namespace spanway::kafka_bridge {

// What a partition's lane and its deliveries work with; all outlive them.
struct LaneDeps {
  Executor& executor;
  const std::shared_ptr<Mailbox> mailbox;  // To that executor.
  Shipper& shipper;
  DeadLetterWriter& dead_letters;
  MemoryBudget& budget;
  BudgetShares& shares;
  ConsumeEvents& events;
  EvidenceLedger& ledger;
  Stalls& stalls;
  Random& random;
};

struct LaneOptions {
  std::string topic;
  std::int32_t partition = 0;
  otlp::Signal signal = otlp::Signal::kTraces;
  MergeLimits merge;
  Duration linger = std::chrono::milliseconds(5);
  std::size_t max_in_flight = 8;
  RetryConfig retry;
  bool copy_partial = true;
  bool batch_identity = false;
};

// Single-thread: everything on the executor; answers of the sink are posted there. Belongs to a
// DeliveryOwner that outlives it; answers that come after its end are dropped.
class DeliveryOwner {
 public:
  virtual ~DeliveryOwner() = default;
  // Nothing is left to do. May destroy nothing synchronously.
  virtual void on_done() = 0;
  // A dead letter could not be written, or could again (null).
  virtual void on_dead_letter(const Error* error) = 0;
  virtual void on_idle() = 0;  // Neither sending nor writing a dead letter any more.
  virtual bool draining() const = 0;
};

class Delivery : public ProbeCandidate, public std::enable_shared_from_this<Delivery> {
 public:
  // `identity` is empty where none is needed. The permit covers the payload twice: what is kept for
  // retries and what is sent.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           MergedBatch batch, std::string origin, std::string identity);
  // Nothing to deliver: only a dead letter to write. `payload` belongs to `letter`.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           DeadLetter letter);
  ~Delivery() override;

  void start();
  bool started() const noexcept { return state_ != State::kNew; }
  bool done() const noexcept { return state_ == State::kDone; }
  // Waiting for the destination's or the dead-letter topic's answer.
  bool busy() const noexcept { return state_ == State::kSending || state_ == State::kBurying; }
  // Waits for the end of a stall.
  bool stalled() const noexcept { return state_ == State::kHeld; }
  // Only another batch can show whether this one or the destination is at fault.
  bool needs_neighbour() const noexcept { return needs_neighbour_; }
  // The last refusal, while this batch fails and others of its stream pass; null otherwise.
  const Error* failing_alone() const noexcept {
    return failing_alone_ ? &*failing_alone_ : nullptr;
  }
  SteadyTime refused_first() const noexcept { return refused_first_; }
  const Stream& stream() const noexcept { return stream_; }
  // Of its first record; -1 when it only writes a dead letter.
  std::int64_t first_offset() const noexcept {
    return batch_.records.empty() ? -1 : batch_.records.front().offset;
  }
  // Nothing of it is done or on its way: it can be read again instead of being kept.
  bool droppable() const noexcept {
    return !busy() && suspects_.empty() && settled_items_ == 0 && pieces_.size() == 1 &&
           pieces_.front().whole && !first_letter_;
  }
  std::size_t bytes() const noexcept;

  // ProbeCandidate:
  bool held() const noexcept override { return stalled() && !owner_.draining(); }
  bool probing() const noexcept override { return probing_; }
  std::uint64_t refusals() const noexcept override;
  void probe() override;
  void resume() override;

 private:
  enum class State { kNew, kHeld, kSending, kWaiting, kBurying, kDone };

  // A part of the batch that has not been decided.
  struct Piece {
    pipeline::Pieces payload;
    std::uint64_t first_item = 0;
    std::uint64_t item_count = 0;
    std::uint64_t attempts = 0;
    bool whole = true;
    // What speaks against it. Halves inherit the first refusal.
    std::int64_t tries = 0;  // Refusals of exactly these bytes.
    std::optional<EvidenceLedger::Mark> first_refusal;
    EvidenceLedger::Counts counts_at_refusal;
    EvidenceLedger::Mark sent = 0;
    bool passed_before_send = false;  // Others, between the first refusal and this try.
    bool others_tried = false;
    std::optional<SteadyTime> suspected;
  };
  // One item that seems to be the culprit. It becomes a dead letter once that is confirmed: others
  // were accepted before and after its last refusal, and the stream did not stall in between.
  struct Suspect {
    Piece piece;
    Error error;
    bool proven = false;  // Others were accepted before it was refused again.
    EvidenceLedger::Mark refused = 0;
    std::uint64_t stalls = 0;
    SteadyTime since;
  };

  void send_front();
  void send_next();
  void on_answer(Result<Shipped> result);
  void on_accepted(const Shipped& shipped);
  void on_refused(Error error);
  Refused judge(const Piece& piece, const Error& error) const;
  void note_refusal(Piece& piece, const Error& error);
  void act(Step step, Error error);
  void act_on_uncut(Error error);
  void go_on_halved(const Error& error);
  void hold(const Error& error);
  void wait_and_retry(const Error& error);
  void rotate();
  bool halve();
  void suspect(Error error);
  bool settle_suspects();
  enum class Verdict { kOpen, kConfirmed, kTryAgain, kStalls };
  Verdict verdict(const Suspect& suspect) const;
  void await_verdict();
  void bury(DeadLetterCause cause, std::string error, std::string rejected);
  void on_buried(const std::shared_ptr<const DeadLetter>& letter, Status status);
  void write_letter(const std::shared_ptr<const DeadLetter>& letter);
  void drop_front();
  void set_idle(State state);
  std::string origin_of(const Piece& piece, bool range) const;
  std::string identity_of(const Piece& piece) const;

  const LaneOptions& options_;
  const LaneDeps& deps_;
  DeliveryOwner& owner_;
  const std::uint64_t id_;  // Of this process; tells batches apart in the ledger.
  MergedBatch batch_;       // Its payload is in pieces_.
  const Stream stream_;
  const std::string origin_;
  const std::string identity_;
  std::deque<Piece> pieces_;
  std::uint64_t settled_items_ = 0;  // Of the pieces that are done.
  std::deque<Suspect> suspects_;
  std::shared_ptr<const DeadLetter> first_letter_;  // Of a delivery that only buries.
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
  bool needs_neighbour_ = false;
  bool burial_failed_ = false;
};

}  // namespace spanway::kafka_bridge
