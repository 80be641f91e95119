// One partition's way from Kafka to the destination: joins records, keeps several batches in
// flight, holds back what stalls, decides what may be committed. A state machine without threads.
//
// Batches of a stalled tenant leave memory, except a few to probe with; the commit stays below
// them, and its note (commit_note.h) lists what is settled beyond. After the stall, or a restart,
// the partition is read a second time from there, and only unsettled batches are delivered.
//
// Each item that is not settled has one owner at any moment: a batch in memory (open_), a range of
// an earlier assignment that is filled as it was (Reread::ranges, postponed_), or the tenant's
// unread records (unread_). The commit's note is written from these three, and they never overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/kafka-bridge/consume/batch_merger.h"
#include "services/kafka-bridge/consume/commit_note.h"
#include "services/kafka-bridge/consume/delivery.h"
#include "services/kafka-bridge/consume/lane_context.h"
#include "services/kafka-bridge/consume/offset_tracker.h"
#include "services/kafka-bridge/consume/record_reader.h"
#include "services/kafka-bridge/consume/unread_records.h"
#include "services/lib/base/callback_guard.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/kafka/consumer.h"

namespace spanway::kafka_bridge {

// The consumer group, as a lane uses it: it reads and commits for the lane.
class LaneHost {
 public:
  virtual ~LaneHost() = default;
  // There is room again after take() returned false. Only after that.
  virtual void on_room() = 0;
  // A plan has to be committed before more can be sent (batch identity).
  virtual void on_plan() = 0;
  // Draining is over: nothing is in flight.
  virtual void on_drained() = 0;
  // Reading must resume at `offset`, which was read before: deferred batches are read again.
  virtual void on_rewind(std::int64_t offset) = 0;
};

// Single-thread: everything on the executor of LaneDeps.
class PartitionLane final : private DeliveryOwner, private StallListener {
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

  // The commit to make; nothing when it equals the last one.
  struct Commit {
    std::int64_t offset = 0;
    std::string metadata;
    std::uint64_t planned = 0;  // To be handed back to on_committed().
  };
  std::optional<Commit> commit() const;
  void on_committed(const Commit& commit);
  bool plan_pending() const noexcept { return options_.batch_identity && planned_ < range_count_; }

  // Takes nothing more, forgets what is not in flight, and calls on_drained() once, maybe at once,
  // when nothing is. Then commit() is final.
  void drain();

  // A batch that is in flight or waits, for /statusz.
  struct BatchState {
    OffsetRange offsets;
    std::string tenant;
    std::uint64_t attempts = 0;
    std::string waits_for;
    Duration age{};
  };
  struct State {
    std::int64_t committed = 0;
    std::size_t in_flight = 0;  // Batches begun and not done.
    std::size_t bytes = 0;
    std::uint64_t items = 0;  // Read and not settled.
    std::optional<std::int64_t>
        oldest_timestamp_ms;  // The oldest record read or offered that is not settled.
    bool stalled = false;
    std::string reason;
    Duration stalled_for{};
  };
  State state() const;
  // The oldest, at most runtime::Statusz::kBatchesMax, in the order in which they were read.
  std::vector<BatchState> batches() const;
  otlp::Signal signal() const noexcept { return options_.signal; }
  // A tenant that is slow, stalls or has records left in Kafka, for /statusz.
  struct TenantState {
    std::string tenant;
    std::size_t in_flight = 0;
    std::size_t waiting = 0;
    bool slow = false;
    bool stalled = false;
    bool left_in_kafka = false;
    Duration unanswered{};
  };
  // By name, at most runtime::Statusz::kTenantsMax.
  std::vector<TenantState> tenants() const;
  // Adds the stalls within this partition: batches that have failed alone for long, tenants whose
  // dead letters cannot be written. Bounded.
  void add_failing(std::vector<StallStatus>& statuses) const;

 private:
  // How a note names what is not settled: by batches, or by tenants where that is shorter.
  enum class Detail { kExact, kCompact };
  // A batch range that is not settled.
  struct OpenBatchRange {
    OffsetTracker::Run run = 0;  // Only from the first reading.
    OffsetRange range;
    std::int64_t timestamp_ms = 0;
    std::size_t batches = 0;  // At first; `deliveries` are those that are not done.
    bool again = false;       // From the second reading.
    bool named = false;       // The note names it by its range; else by its batches.
    bool letters = false;     // It had dead letters of single records.
    // Others own some of its records: those of tenants that were passed over, or given back.
    bool shared = false;
    std::uint64_t number = 0;  // From 1, in order; 0 = needs no plan.
    Permit permit;
    std::vector<std::shared_ptr<Delivery>> deliveries;
  };
  // A range of an earlier assignment, to be filled from its first record to its last, whatever the
  // limits are now: of one tenant, or of all that do not own their records themselves.
  struct KnownRange {
    OpenRange range;
    std::optional<std::string> tenant;
  };
  // The second reading of what lies below `end` and is not settled. Known ranges that overlap one
  // of `ranges` wait for the next pass; so does a tenant of which a record was passed over.
  struct Reread {
    std::int64_t next = 0;  // Everything below has been read again.
    std::int64_t end = 0;
    std::deque<KnownRange> ranges;  // Increasing, disjoint.
    std::set<std::string, std::less<>> passed_over;
  };
  // The parts of a record that a range takes.
  struct RecordParts {
    bool items = true;
    bool letter = true;
  };
  // Up to which offset anything of a tenant is settled, and when that last grew.
  struct Settled {
    std::int64_t last = 0;
    SteadyTime at;
  };

  // A tenant of which a dead letter cannot be written: nothing more of it is read.
  struct LetterStall {
    Error error;
    SteadyTime since;
  };

  // DeliveryOwner:
  void on_changed() override { schedule_collect(); }
  bool draining() const override { return draining_; }

  // StallListener:
  void on_stall_begun(const Stream& stream) override;
  void on_stall_ended(const Stream& stream) override;

  DeliveryOwner& owner() noexcept { return *this; }
  bool has_room() const;
  bool acquire(std::string_view tenant, std::size_t bytes, std::size_t more);
  bool within_share(std::string_view tenant, std::size_t bytes) const;
  void yield_memory();
  bool take_parts(const kafka::RecordView& record);
  bool take_read(const kafka::RecordView& record, const ReadRecord& read);
  bool take_undecodable(const kafka::RecordView& record, const Error& error);
  void add_letter(const kafka::RecordView& record, DeadLetterCause cause, std::string_view tenant,
                  std::string error, std::string rejected, std::uint64_t item_count);
  bool refuse() noexcept;
  void begin_linger();
  void skip_to_end();
  enum class Place { kTake, kSkip, kRefuse };
  Place place(const kafka::RecordView& record);
  Place place_first(const kafka::RecordView& record, std::string_view tenant);
  Place place_by_stall(std::string_view tenant, const kafka::RecordView& record);
  bool held_back(std::string_view tenant, std::size_t bytes) const;
  Place defer_from(std::string_view tenant, std::int64_t offset);
  Place place_again(const kafka::RecordView& record, std::string_view tenant);
  Place place_in_range(const kafka::RecordView& record, std::string_view tenant);
  void pass_over(std::string_view tenant, std::int64_t offset);
  bool passed_over(std::string_view tenant) const;
  bool in_range(std::int64_t offset) const;
  bool fills_range() const;
  void leave_ranges_before(std::int64_t offset);
  void leave_range();
  void keep_known(std::vector<KnownRange> ranges);
  std::int64_t next_to_read_again() const;
  void note_unread(CommitNote& note, Detail detail) const;
  void note_known(CommitNote& note, Detail detail) const;
  void note_open(CommitNote& note, Detail detail) const;
  void trim(CommitNote& note) const;
  void advance_reread(std::int64_t next);
  void end_reread();
  void end_reread_early();
  bool may_read_again(const std::string& tenant) const;
  bool may_defer(std::string_view tenant, std::int64_t from) const;
  void defer(const std::string& tenant);
  void give_back(const std::string& tenant, const std::vector<const Delivery*>& batches,
                 std::int64_t settled_to);
  bool drop(const Delivery& delivery);
  void add_settled(const Delivery& delivery);
  void prune_settled();
  std::int64_t settled_to(const std::string& tenant) const;
  void read_again_later();
  void read_again();
  CommitNote note(Detail detail) const;
  std::optional<OpenRange::Parts> open_parts(const OpenBatchRange& batch_range) const;
  void add_deliveries(OpenBatchRange& open, BatchRange&& batch_range,
                      const std::optional<OpenRange::Parts>& parts);
  void forget_filling();
  void collect_letter_stalls();
  std::int64_t position() const;
  void seal();
  void pump();
  bool waits(const Delivery& delivery) const;
  void find_slow();
  void watch_slow();
  void schedule_collect();
  void collect();
  std::size_t in_flight() const;
  bool waits_for_stalls(const OpenBatchRange& batch_range) const;
  void account();
  void describe_stall(State& state) const;
  template <typename F>
  void for_deliveries(F function) const {
    for (const OpenBatchRange& batch_range : open_)
      for (const auto& delivery : batch_range.deliveries) function(*delivery);
  }

  const LaneOptions options_;
  const LaneDeps& deps_;
  LaneHost& host_;
  RecordReader reader_;
  BatchMerger merger_;
  Permit permit_;  // For the range being filled.
  Timer linger_;
  OffsetTracker tracker_;
  std::deque<OpenBatchRange> open_;
  // Dead letters of the range being filled, and the bytes that they hold.
  std::vector<std::shared_ptr<Delivery>> letters_;
  std::size_t letter_bytes_ = 0;
  bool filling_shared_ = false;  // Records inside the range being filled were passed over.
  RecordParts record_parts_;     // The record being taken.
  std::int64_t committed_;
  std::string committed_metadata_;
  // Ranges begun, and how many of them a committed plan holds.
  std::uint64_t range_count_ = 0;
  std::uint64_t planned_ = 0;
  // End of the log, while no record is known beyond it. Reset when records are given back unread.
  std::optional<std::int64_t> end_;
  std::optional<Reread> reread_;
  std::vector<KnownRange> postponed_;  // For the next pass.
  UnreadRecords unread_;
  std::map<std::string, Settled, std::less<>> settled_;  // Tenants with open batches.
  std::int64_t settled_floor_ = 0;                       // All other tenants.
  std::size_t settled_prune_at_ = 64;
  std::set<std::string, std::less<>> slow_;  // Tenants whose requests are not answered in time.
  Timer slow_timer_;
  bool slow_watched_ = false;
  Backoff reread_backoff_;
  Timer reread_timer_;
  bool reread_pending_ = false;
  bool early_end_posted_ = false;
  bool yielded_ = false;    // A planned batch_range was given up; it is read again.
  bool note_full_ = false;  // Another stalled tenant would not fit into the commit.
  std::map<std::string, LetterStall, std::less<>> letter_stalls_;  // By tenant.
  std::size_t share_used_ = 0;  // Bytes reported to BudgetShares.
  bool refused_ = false;        // take() returned false.
  bool wants_memory_ = false;
  std::int64_t refused_timestamp_ms_ = 0;
  bool draining_ = false;
  bool drained_ = false;
  bool collect_scheduled_ = false;
  CallbackGuard guard_;  // Guards functions posted to the executor.
};

}  // namespace spanway::kafka_bridge
