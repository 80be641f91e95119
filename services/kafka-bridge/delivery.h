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
#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/dead_letters.h"
#include "services/kafka-bridge/events.h"
#include "services/kafka-bridge/mailbox.h"
#include "services/kafka-bridge/passes.h"
#include "services/kafka-bridge/retry_policy.h"
#include "services/kafka-bridge/shipper.h"
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
  ConsumeEvents& events;
  Passes& passes;
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
  // No batch may be sent until the owner calls probe() or resume(). `was_probe`: probe() ended so.
  virtual void on_stall(const Error& error, bool was_probe) = 0;
  // The destination has judged a batch by its content: whatever was stalled is not any more.
  virtual void on_judged() = 0;
  // A probe ended without a verdict.
  virtual void on_probe_failed(const Error& error) = 0;
  // A dead letter could not be written, or could again (null).
  virtual void on_dead_letter(const Error* error) = 0;
  virtual void on_idle() = 0;  // Neither sending nor writing a dead letter any more.
  virtual bool may_send() const = 0;
  virtual bool draining() const = 0;
};

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  // `identity` is empty where none is needed. The permit covers the payload twice: what is kept for
  // retries and what is sent.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           MergedBatch batch, std::string origin, std::string identity);
  // Nothing to deliver: only a dead letter to write. `payload` belongs to `letter`.
  Delivery(const LaneOptions& options, const LaneDeps& deps, DeliveryOwner& owner,
           DeadLetter letter);
  ~Delivery();

  void start();
  bool started() const noexcept { return state_ != State::kNew; }
  bool done() const noexcept { return state_ == State::kDone; }
  // Waiting for the destination's or the dead-letter topic's answer.
  bool busy() const noexcept { return state_ == State::kSending || state_ == State::kBurying; }
  // Wants to send and may not.
  bool held() const noexcept { return state_ == State::kHeld; }
  // Sends although nothing may be sent.
  void probe();
  void resume();
  // One item that fails alone, and nothing else of its kind has passed since: only another batch
  // can show who is to blame.
  bool needs_neighbour() const noexcept { return needs_neighbour_; }
  std::size_t bytes() const noexcept;

 private:
  enum class State { kNew, kHeld, kSending, kWaiting, kBurying, kDone };

  // A part of the batch that has not been decided.
  struct Piece {
    pipeline::Pieces payload;
    std::uint64_t first_item = 0;
    std::uint64_t item_count = 0;
    std::uint64_t attempts = 0;
    std::int64_t unknown_tries = 0;
    // Passes::of() when it was refused first (kind unknown) and when it was sent last.
    std::optional<std::uint64_t> passes_at_refusal;
    std::uint64_t passes_at_send = 0;
    bool others_tried = false;
    bool whole = true;
  };

  void send_front();
  void send_next();
  void on_answer(Result<Shipped> result);
  void on_accepted(const Shipped& shipped);
  void on_refused(Error error);
  void wait_and_retry(Duration wait, Refusal kind);
  void rotate();
  bool halve();
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
  MergedBatch batch_;  // Its payload is in pieces_.
  const std::string origin_;
  const std::string identity_;
  std::deque<Piece> pieces_;
  std::uint64_t settled_items_ = 0;                 // Of the pieces that are done.
  std::shared_ptr<const DeadLetter> first_letter_;  // Of a delivery that only buries.
  State state_ = State::kNew;
  Backoff backoff_;
  Timer timer_;
  // Counts what was sent: a late answer to something else is recognised by it.
  std::uint64_t sequence_ = 0;
  SteadyTime sent_at_;
  bool probing_ = false;
  bool needs_neighbour_ = false;
  bool burial_failed_ = false;
};

}  // namespace spanway::kafka_bridge
