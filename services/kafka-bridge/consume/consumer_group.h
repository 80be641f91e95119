// All partitions of this process in the group of one destination: gives each a lane, commits for
// them, finishes them when they are revoked, and reports their lag.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/consume/dead_letters.h"
#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/kafka-bridge/consume/request_coalescer.h"
#include "services/kafka-bridge/events.h"
#include "services/lib/base/callback_guard.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::kafka_bridge {

// All outlive the group.
struct ConsumerGroupDeps {
  Executor& executor;
  pipeline::Sink& sink;
  DeadLetterWriter& dead_letters;
  MemoryBudget& budget;
  telemetry::Telemetry telemetry;
  Random random;
};

// For /statusz.
struct PartitionStatus {
  kafka::TopicPartition partition;
  std::optional<std::int64_t> lag_messages;  // Unset until a broker has reported the end.
  double lag_seconds = 0;
  std::size_t in_flight = 0;
  bool stalled = false;
  std::string reason;
  std::int64_t committed = 0;
  std::vector<PartitionLane::BatchState> batches;
  std::vector<PartitionLane::TenantState> tenants;
};

// How often something happened, and when last.
struct Activity {
  std::uint64_t count = 0;
  std::optional<SystemTime> last;
};
struct GroupActivity {
  Activity polls;       // That returned records.
  Activity commits;     // Acknowledged by Kafka.
  Activity rebalances;  // Assignments and revocations, each of any number of partitions.
};

// Everything on the executor, except create, the last four and the destructor (which needs the
// executor to be this thread, or stopped).
class ConsumerGroup final : private kafka::ConsumerListener {
 public:
  using ConsumerFactory = std::function<Result<std::unique_ptr<kafka::Consumer>>(
      std::vector<std::string> topics, kafka::ConsumerListener& listener)>;

  static Result<std::unique_ptr<ConsumerGroup>> create(const BridgeConfig& config,
                                                       const ConsumerGroupDeps& deps,
                                                       const ConsumerFactory& factory);
  ~ConsumerGroup() override;

  Status start();
  // Reads nothing more, waits for what is in flight for at most `timeout`, commits and leaves the
  // group; then `done`, with whether everything in flight was finished.
  void drain(Duration timeout, std::function<void(bool clean)> done);

  // Memory is at its limit: pauses all partitions, which drops what was fetched ahead, until the
  // budget admits new work again.
  void shed_load();

  const kafka::Consumer& consumer() const noexcept { return *consumer_; }
  // At most a second old.
  std::vector<PartitionStatus> partitions() const;
  std::vector<StallStatus> stalls() const;
  // Taken at one moment, so that they add up. By signal.
  std::array<ItemTotals, kSignalCount> items() const;
  GroupActivity activity() const;
  Status fatal() const;
  // Records that the log lost after they were read, or deleted before, since the start.
  std::uint64_t lost_records() const noexcept { return lost_records_; }

 private:
  // One assigned partition.
  struct Member final : LaneHost {
    Member(ConsumerGroup& owner, kafka::TopicPartition of)
        : group(owner), partition(std::move(of)) {}
    void on_room() override;
    void on_plan() override { group.on_plan(); }
    void on_rewind(std::int64_t offset) override { group.consumer_->rewind(partition, offset); }
    void on_drained() override { group.on_drained(*this); }
    ConsumerGroup& group;
    const kafka::TopicPartition partition;
    Permit prefetch;  // For partitions beyond partitions_max.
    std::unique_ptr<PartitionLane> lane;
    // The last observed committed offset, and when it last moved or no record followed it.
    std::int64_t committed = -1;
    SteadyTime moved;
    bool paused = false;
    bool shed = false;  // Paused to give memory back.
    bool drained = false;
  };
  // Partitions on their way out.
  struct Revocation {
    std::uint64_t number = 0;  // Distinguishes it from earlier ones, whose answers may be late.
    std::vector<kafka::TopicPartition> partitions;
    std::function<void(bool clean)> done;
    SteadyTime deadline;  // For the answers in flight.
    Timer timer;
    bool committing = false;
    bool clean = false;
    Revocation() {}  // Written out: clang knows the members' defaults too late for std::optional.
  };

  ConsumerGroup(const BridgeConfig& config, const ConsumerGroupDeps& deps);

  // kafka::ConsumerListener:
  void on_assigned(const kafka::TopicPartition& partition,
                   const kafka::StartPosition& start) override;
  void on_assignment(std::size_t partitions) override;
  bool on_record(const kafka::TopicPartition& partition, const kafka::RecordView& record) override;
  void on_revoked(const std::vector<kafka::TopicPartition>& partitions,
                  std::function<void()> done) override;
  void on_lost(const std::vector<kafka::TopicPartition>& partitions) override;
  void on_end(const kafka::TopicPartition& partition, std::int64_t offset) override;
  void on_gap(const kafka::TopicPartition& partition, std::int64_t expected,
              std::int64_t continued_at, std::uint64_t lost) override;
  void on_error(const Error& error) override;
  void on_fatal(const Error& error) override;

  LaneOptions lane_options(const kafka::TopicPartition& partition) const;
  Member* find(const kafka::TopicPartition& partition);
  void remove(const std::vector<kafka::TopicPartition>& partitions);
  void on_plan();
  void on_drained(Member& member);
  void revoke(std::vector<kafka::TopicPartition> partitions, Duration timeout,
              std::function<void(bool clean)> done);
  void check_revocation();
  void finish_revocation(bool clean);
  void commit_last();
  void on_last_commit(const Status& status);
  void end_revocation();

  void commit_tick();
  using Commits = std::map<kafka::TopicPartition, PartitionLane::Commit>;
  Commits gather(const std::vector<kafka::TopicPartition>* only);
  void commit(Commits commits, std::function<void(Status)> then);
  void log_commit(const std::vector<kafka::OffsetCommit>& commits, const Status& status) const;
  void commit_now();
  bool plan_pending() const;
  void status_tick();
  void update_status();
  std::array<ItemTotals, kSignalCount> count_items() const;
  void update_status_soon();
  void watch(Member& member, PartitionStatus& status);
  double lag_seconds(Member& member, const PartitionLane::State& state,
                     std::optional<std::int64_t> lag_messages);
  void retry_memory();
  void count(Activity& activity);
  template <typename F>
  void later(Duration wait, F function) {
    deps_.executor.post_after(wait, guard_.wrap(function));
  }

  const ConsumeConfig config_;
  const Duration revoke_timeout_;
  const kafka::TopicNames topics_;
  ConsumerGroupDeps deps_;
  ConsumeEvents events_;
  EvidenceLedger ledger_;
  Stalls stalls_;
  BudgetShares shares_;
  const std::shared_ptr<ClosableExecutor> answers_on_;
  RequestCoalescer coalescer_;
  const LaneDeps lane_deps_;
  std::unique_ptr<kafka::Consumer> consumer_;
  std::map<kafka::TopicPartition, std::unique_ptr<Member>> members_;
  std::optional<Revocation> revocation_;
  std::uint64_t revocations_ = 0;
  bool leaving_ = false;  // The shutdown drains all partitions; no rebalance replaces it.
  std::uint64_t commit_sequence_ = 0;
  // When the commit that is not answered was sent.
  std::optional<SteadyTime> committing_since_;
  bool memory_timer_ = false;
  bool in_poll_ = false;
  GroupActivity activity_now_;
  bool status_update_posted_ = false;
  bool closed_ = false;
  std::atomic<std::uint64_t> lost_records_{0};

  mutable Mutex mutex_;
  std::vector<PartitionStatus> status_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<StallStatus> stall_status_ SPANWAY_GUARDED_BY(mutex_);
  std::array<ItemTotals, kSignalCount> items_ SPANWAY_GUARDED_BY(mutex_);
  GroupActivity activity_ SPANWAY_GUARDED_BY(mutex_);
  Status fatal_ SPANWAY_GUARDED_BY(mutex_);

  CallbackGuard guard_;  // Guards functions posted to the executor.
};

}  // namespace spanway::kafka_bridge
