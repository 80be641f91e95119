// One partition's way from Kafka to the destination: joins records, keeps several batches in
// flight, decides what may be committed, stalls and goes on. A state machine without threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/kafka-bridge/batch_merger.h"
#include "services/kafka-bridge/delivery.h"
#include "services/kafka-bridge/offset_tracker.h"
#include "services/kafka-bridge/record_reader.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/kafka/consumer.h"

namespace spanway::kafka_bridge {

// What a lane asks of whoever reads and commits for it.
class LaneHost {
 public:
  virtual ~LaneHost() = default;
  // There is room again after take() said no. Only after that.
  virtual void on_room() = 0;
  // A plan has to be committed before more can be sent (batch identity).
  virtual void on_plan() = 0;
  // Draining is over: nothing is in flight.
  virtual void on_drained() = 0;
};

// Single-thread: everything on the executor of LaneDeps.
class PartitionLane final : private DeliveryOwner {
 public:
  // `start`: the offset that reading begins at, with what was committed beside it.
  PartitionLane(LaneOptions options, const LaneDeps& deps, LaneHost& host,
                const kafka::StartPosition& start);
  ~PartitionLane() override;

  // False: no room now; offer the same record again after LaneHost::on_room(), or when memory may
  // have become free (wants_memory()).
  bool take(const kafka::RecordView& record);
  bool wants_memory() const noexcept { return wants_memory_; }
  // Every record below `offset` has been taken, and the log has no further one: once all of them
  // are done, that is where the commit moves.
  void reach_end(std::int64_t offset);

  // What should be committed, when that differs from what is.
  struct Commit {
    std::int64_t offset = 0;
    std::string metadata;
    std::uint64_t planned = 0;  // To be handed back to on_committed().
  };
  std::optional<Commit> commit() const;
  void on_committed(const Commit& commit);
  bool plan_pending() const noexcept { return planned_ < cuts_; }

  // Takes nothing more, forgets what is not in flight, and calls on_drained() once, maybe at once,
  // when nothing is. Then commit() is final.
  void drain();

  struct State {
    std::int64_t committed = 0;
    std::size_t in_flight = 0;  // Batches begun and not done.
    std::size_t bytes = 0;
    std::optional<std::int64_t> oldest_timestamp_ms;  // Of what is read, or offered, and not done.
    bool stalled = false;
    std::string reason;  // Of the stall.
    Duration stalled_for{};
  };
  State state() const;

 private:
  static constexpr OffsetTracker::Run kFinishedRun = ~OffsetTracker::Run{0};
  // A cut, until it and all before it are done.
  struct OpenCut {
    OffsetTracker::Run run;  // kFinishedRun once all its batches are done.
    std::uint64_t number;    // From 1, in order.
    Permit permit;
    std::vector<std::shared_ptr<Delivery>> deliveries;
  };

  // DeliveryOwner:
  void on_done() override;
  void on_stall(const Error& error, bool was_probe) override;
  void on_judged() override;
  void on_probe_failed(const Error& error) override;
  void on_dead_letter(const Error* error) override;
  void on_idle() override;
  bool may_send() const override { return !stall_; }
  bool draining() const override { return draining_; }

  DeliveryOwner& owner() noexcept { return *this; }
  bool has_room() const;
  bool acquire(std::size_t bytes);
  bool take_read(const kafka::RecordView& record, const ReadRecord& read);
  bool take_undecodable(const kafka::RecordView& record, const Error& error);
  void add_letter(const kafka::RecordView& record, DeadLetterCause cause, std::string_view tenant,
                  std::string error, std::string rejected);
  bool refuse() noexcept;
  void begin_linger();
  void skip_to_end();
  void finish_replayed_before(std::int64_t offset);
  void finish_replayed_at(std::int64_t offset);
  void seal();
  void pump();
  void schedule_collect();
  void collect();
  void schedule_probe();
  void send_probe();
  void end_stall();
  std::size_t in_flight() const;
  template <typename F>
  void for_deliveries(F function) const {
    for (const OpenCut& cut : open_)
      for (const auto& delivery : cut.deliveries) function(*delivery);
  }

  struct Stall {
    Error error;
    SteadyTime since;
    Backoff backoff;
    Timer timer;
  };

  const LaneOptions options_;
  const LaneDeps& deps_;
  LaneHost& host_;
  RecordReader reader_;
  BatchMerger merger_;
  Permit permit_;  // Of the cut being filled.
  Timer linger_;
  OffsetTracker tracker_;
  std::deque<OpenCut> open_;
  // Dead letters of the cut being filled, and what they hold.
  std::vector<std::shared_ptr<Delivery>> letters_;
  std::size_t letter_bytes_ = 0;
  std::int64_t committed_;
  std::string committed_metadata_;
  // Cuts made, and how many of them stand in a committed plan.
  std::uint64_t cuts_ = 0;
  std::uint64_t planned_ = 0;
  std::deque<std::int64_t> replay_ends_;  // Cuts to repeat.
  // Of the log, while no record is known beyond; whoever gives records back unread resets it.
  std::optional<std::int64_t> end_;
  std::optional<Stall> stall_;
  std::optional<Error> dead_letter_error_;
  SteadyTime dead_letter_since_;
  bool refused_ = false;  // take() said no.
  bool wants_memory_ = false;
  std::int64_t refused_timestamp_ms_ = 0;
  bool draining_ = false;
  bool drained_ = false;
  bool collect_scheduled_ = false;
  // Guards functions posted to the executor.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace spanway::kafka_bridge
