#include "services/kafka-bridge/consume/consumer_group.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/signal_topics.h"
#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {
namespace {

constexpr Duration kMemoryRetry = std::chrono::milliseconds(20);
constexpr Duration kCommitRetry = std::chrono::milliseconds(200);
// A commit that is not answered by then is counted as failed.
constexpr Duration kCommitTimeout = std::chrono::seconds(10);
// Partitions are read together, after `batch.linger`; so requests for one destination arrive
// together.
constexpr Duration kJoinWindow = std::chrono::milliseconds(1);
// The last commit of partitions that go is repeated for what is left of the time to finish, within
// these bounds: Kafka refuses it while the members join anew, which takes as long as the slowest of
// them needs for its next heartbeat.
constexpr Duration kLastCommitMin = std::chrono::seconds(3);
constexpr Duration kLastCommitMax = std::chrono::seconds(10);

std::vector<std::string> topics_of(const BridgeConfig& config) {
  std::vector<std::string> topics;
  for (const otlp::Signal signal : signals_of(config.consumer)) {
    topics.push_back(topic_of(config.kafka.topics, signal));
  }
  return topics;
}

// Batches with an identity are what they are; all others may be joined on their way.
CoalescerOptions coalescer_options(const BridgeConfig& config) {
  CoalescerOptions options;
  options.bytes_max = config.consumer.batch.bytes_max.bytes;
  options.items_max = static_cast<std::uint64_t>(config.consumer.batch.items_max);
  options.linger = std::min<Duration>(config.consumer.batch.linger, kJoinWindow);
  options.send_timeout = config.destination.timeout;
  options.in_flight_max = static_cast<std::size_t>(config.destination.in_flight_max);
  return options;
}

}  // namespace

ConsumerGroup::ConsumerGroup(const BridgeConfig& config, const ConsumerGroupDeps& deps)
    : config_(config.consumer),
      revoke_timeout_(effective_revoke_timeout(config)),
      topics_(config.kafka.topics),
      deps_(deps),
      events_(deps.telemetry, config.consumer.destination),
      stalls_(config_.retry, deps_.executor, ledger_, events_, Random(deps_.random.next())),
      shares_(deps_.budget, signals_of(config_)),
      answers_on_(std::make_shared<ClosableExecutor>(deps_.executor)),
      coalescer_(coalescer_options(config), deps_.executor, answers_on_, deps_.sink, deps_.budget),
      lane_deps_{deps_.executor, answers_on_, coalescer_, deps_.dead_letters, deps_.budget, shares_,
                 events_,        ledger_,     stalls_,    deps_.random} {}

Result<std::unique_ptr<ConsumerGroup>> ConsumerGroup::create(const BridgeConfig& config,
                                                             const ConsumerGroupDeps& deps,
                                                             const ConsumerFactory& factory) {
  std::unique_ptr<ConsumerGroup> group(new ConsumerGroup(config, deps));
  SPANWAY_ASSIGN(group->consumer_, factory(topics_of(config), *group));
  return group;
}

ConsumerGroup::~ConsumerGroup() {
  answers_on_->close();
  // While the listener still exists.
  if (!closed_ && consumer_) consumer_->close();
  guard_.reset();
  members_.clear();
}

Status ConsumerGroup::start() {
  SPANWAY_TRY(consumer_->start());
  commit_tick();
  status_tick();
  return ok_status();
}

// --- Assignment and revocation ---

LaneOptions ConsumerGroup::lane_options(const kafka::TopicPartition& partition) const {
  LaneOptions options;
  options.topic = partition.topic;
  options.partition = partition.partition;
  for (const otlp::Signal signal : otlp::kSignals) {
    if (topic_of(topics_, signal) == partition.topic) options.signal = signal;
  }
  options.merge.bytes_max = config_.batch.bytes_max.bytes;
  options.merge.items_max = static_cast<std::uint64_t>(config_.batch.items_max);
  options.linger = Duration::zero();  // The consumer has waited, for all partitions together.
  options.max_in_flight = static_cast<std::size_t>(config_.max_in_flight_per_partition);
  options.retry = config_.retry;
  options.copy_partial = config_.dead_letters.partial == DeadLetterConfig::Partial::kCopy;
  options.batch_identity = config_.batch_identity;
  return options;
}

ConsumerGroup::Member* ConsumerGroup::find(const kafka::TopicPartition& partition) {
  const auto found = members_.find(partition);
  return found == members_.end() ? nullptr : found->second.get();
}

void ConsumerGroup::on_assigned(const kafka::TopicPartition& partition,
                                const kafka::StartPosition& start) {
  if (leaving_) return;  // Nothing more is read.
  auto member = std::make_unique<Member>(*this, partition);
  if (members_.size() >= static_cast<std::size_t>(config_.kafka.partitions_max)) {
    // Beyond the plan: their prefetch is charged to the budget of batches.
    const std::size_t bytes =
        config_.kafka.prefetch_bytes_max.bytes + config_.kafka.partition_fetch_bytes_max.bytes;
    auto permit = deps_.budget.try_acquire(bytes);
    if (permit) member->prefetch = std::move(*permit);
    events_.log().limited(telemetry::LogLevel::kWarn, "kafka_bridge_partitions_max",
                          "More partitions than consumer.partitions_max: start more replicas or "
                          "raise it together with memory_limit",
                          {{"partitions", members_.size() + 1}, {"reserved", permit.has_value()}});
  }
  member->lane =
      std::make_unique<PartitionLane>(lane_options(partition), lane_deps_, *member, start);
  members_[partition] = std::move(member);
  events_.log().debug("Partition assigned", {{"topic", partition.topic},
                                             {"partition", partition.partition},
                                             {"offset", start.offset},
                                             {"leader_epoch", start.leader_epoch},
                                             {"metadata", start.metadata}});
  update_status_soon();
}

void ConsumerGroup::on_assignment(std::size_t) {
  if (!leaving_) count(activity_now_.rebalances);
}

void ConsumerGroup::remove(const std::vector<kafka::TopicPartition>& partitions) {
  for (const kafka::TopicPartition& partition : partitions) {
    if (members_.erase(partition) > 0) events_.forget_lag(partition.topic, partition.partition);
  }
  update_status_soon();
}

void ConsumerGroup::on_lost(const std::vector<kafka::TopicPartition>& partitions) {
  count(activity_now_.rebalances);
  for (const kafka::TopicPartition& partition : partitions) {
    events_.log().debug("Partition lost: nothing of it is committed",
                        {{"topic", partition.topic}, {"partition", partition.partition}});
  }
  remove(partitions);
  // A revocation or a shutdown may have waited for them alone.
  deps_.executor.post(guard_.wrap([this] { check_revocation(); }));
}

void ConsumerGroup::on_revoked(const std::vector<kafka::TopicPartition>& partitions,
                               std::function<void()> done) {
  count(activity_now_.rebalances);
  for (const kafka::TopicPartition& partition : partitions) {
    events_.log().debug("Partition revoked: finishing what is in flight",
                        {{"topic", partition.topic}, {"partition", partition.partition}});
  }
  if (leaving_) return;  // They are among those being drained; closing answers the group.
  revoke(partitions, revoke_timeout_, [function = std::move(done)](bool) { function(); });
}

void ConsumerGroup::drain(Duration timeout, std::function<void(bool clean)> done) {
  leaving_ = true;
  if (revocation_) {
    // The shutdown takes over: closing answers the group for the partitions being revoked.
    revocation_->timer.cancel();
    revocation_.reset();
  }
  std::vector<kafka::TopicPartition> all;
  for (const auto& [partition, member] : members_) all.push_back(partition);
  revoke(std::move(all), timeout, [this, function = std::move(done)](bool clean) {
    if (!std::exchange(closed_, true)) consumer_->close();
    function(clean);
  });
}

void ConsumerGroup::revoke(std::vector<kafka::TopicPartition> partitions, Duration timeout,
                           std::function<void(bool clean)> done) {
  revocation_.emplace();
  revocation_->number = ++revocations_;
  revocation_->partitions = std::move(partitions);
  revocation_->done = std::move(done);
  revocation_->deadline = deps_.executor.clock().now() + timeout;
  revocation_->timer = deps_.executor.post_after(timeout, guard_.wrap([this] {
    if (revocation_ && !revocation_->committing) finish_revocation(false);
  }));
  for (const kafka::TopicPartition& partition : revocation_->partitions) {
    if (Member* member = find(partition)) member->lane->drain();
  }
  check_revocation();
}

// Not at once: the lane that calls is among those that go.
void ConsumerGroup::on_drained(Member& member) {
  member.drained = true;
  deps_.executor.post(guard_.wrap([this] { check_revocation(); }));
}

void ConsumerGroup::check_revocation() {
  if (!revocation_ || revocation_->committing) return;
  for (const kafka::TopicPartition& partition : revocation_->partitions) {
    const Member* member = find(partition);
    if (member != nullptr && !member->drained) return;
  }
  finish_revocation(true);
}

// Commits the settled items of the partitions; then they are gone, committed or not.
void ConsumerGroup::finish_revocation(bool clean) {
  revocation_->timer.cancel();
  revocation_->committing = true;
  revocation_->clean = clean;
  const Duration left = revocation_->deadline - deps_.executor.clock().now();
  revocation_->timer = deps_.executor.post_after(std::clamp(left, kLastCommitMin, kLastCommitMax),
                                                 guard_.wrap([this] {
                                                   if (!revocation_ || !revocation_->committing)
                                                     return;
                                                   revocation_->clean = false;
                                                   end_revocation();
                                                 }));
  commit_last();
}

void ConsumerGroup::commit_last() {
  Commits commits = gather(&revocation_->partitions);
  if (commits.empty()) return end_revocation();
  commit(std::move(commits), [this, number = revocation_->number](const Status& status) {
    if (revocation_ && revocation_->number == number) on_last_commit(status);
  });
}

// A commit that is not taken repeats at the next member what was delivered here.
void ConsumerGroup::on_last_commit(const Status& status) {
  if (status.ok()) return end_revocation();
  if (status.error().refusal != Refusal::kTransient) {
    revocation_->clean = false;
    return end_revocation();
  }
  later(kCommitRetry, [this, number = revocation_->number] {
    if (revocation_ && revocation_->number == number) commit_last();
  });
}

void ConsumerGroup::end_revocation() {
  Revocation left = std::move(*revocation_);
  events_.log().debug("Revocation ends", {{"partitions", std::uint64_t{left.partitions.size()}},
                                          {"all_answered_and_committed", left.clean}});
  revocation_.reset();
  left.timer.cancel();
  remove(left.partitions);
  left.done(left.clean);
}

// Transaction markers and deleted records are done once everything before them is: without this
// they would count as lag until the next record arrives.
void ConsumerGroup::on_end(const kafka::TopicPartition& partition, std::int64_t offset) {
  if (Member* member = find(partition)) member->lane->reach_end(offset);
}

void ConsumerGroup::on_gap(const kafka::TopicPartition& partition, std::int64_t expected,
                           std::int64_t continued_at, std::uint64_t lost) {
  lost_records_ += lost;
  if (continued_at < expected || lost > 0) {
    events_.lost(partition.topic, partition.partition, expected, continued_at, lost);
  }
  Member* member = find(partition);
  if (member == nullptr || continued_at >= expected) return;
  // Offsets begin anew: what the old lane knows means other records now.
  member->lane = std::make_unique<PartitionLane>(lane_options(partition), lane_deps_, *member,
                                                 kafka::StartPosition{continued_at, ""});
}

void ConsumerGroup::on_error(const Error&) {}  // Logged and kept by the consumer itself.

void ConsumerGroup::on_fatal(const Error& error) {
  events_.log().error("Consumer failed for good; the process ends", {{"error", error.message}});
  MutexLock lock(mutex_);
  if (fatal_.ok()) fatal_ = error;
}

// --- Records ---

bool ConsumerGroup::on_record(const kafka::TopicPartition& partition,
                              const kafka::RecordView& record) {
  Member* member = find(partition);
  if (member == nullptr) return false;
  if (!std::exchange(in_poll_, true)) {
    count(activity_now_.polls);
    deps_.executor.post(guard_.wrap([this] { in_poll_ = false; }));
  }
  if (member->lane->take(record)) return true;
  if (member->lane->wants_memory() && !std::exchange(memory_timer_, true)) {
    later(kMemoryRetry, [this] { retry_memory(); });
  }
  return false;
}

void ConsumerGroup::count(Activity& activity) {
  ++activity.count;
  activity.last = deps_.executor.clock().system_now();
}

void ConsumerGroup::retry_memory() {
  memory_timer_ = false;
  for (const auto& [partition, member] : members_) {
    if (member->lane->wants_memory()) consumer_->resume_reading(partition);
  }
}

void ConsumerGroup::Member::on_room() { group.consumer_->resume_reading(partition); }

void ConsumerGroup::shed_load() {
  for (const auto& [partition, member] : members_) {
    if (member->shed) continue;
    member->shed = true;
    if (!member->paused) consumer_->pause(partition);
  }
}

// --- Committing ---

ConsumerGroup::Commits ConsumerGroup::gather(const std::vector<kafka::TopicPartition>* only) {
  Commits commits;
  const auto add = [&commits](const kafka::TopicPartition& partition, const Member& member) {
    if (auto commit = member.lane->commit()) commits.emplace(partition, std::move(*commit));
  };
  if (only == nullptr) {
    for (const auto& [partition, member] : members_) add(partition, *member);
  } else {
    for (const kafka::TopicPartition& partition : *only) {
      if (const Member* member = find(partition)) add(partition, *member);
    }
  }
  return commits;
}

void ConsumerGroup::commit(Commits commits, std::function<void(Status)> then) {
  std::vector<kafka::OffsetCommit> offsets;
  for (const auto& [partition, commit] : commits) {
    offsets.push_back({partition, commit.offset, commit.metadata});
  }
  committing_since_ = deps_.executor.clock().now();
  consumer_->commit(
      std::move(offsets),
      [this, sequence = ++commit_sequence_, sent = std::move(commits), function = std::move(then)](
          const Status& status, const std::vector<kafka::OffsetCommit>& as_sent) {
        if (sequence == commit_sequence_) committing_since_.reset();
        log_commit(as_sent, status);
        if (status.ok()) {
          events_.committed();
          count(activity_now_.commits);
          for (const auto& [partition, commit] : sent) {
            if (Member* member = find(partition)) member->lane->on_committed(commit);
          }
        }
        if (function) function(status);
      });
}

void ConsumerGroup::log_commit(const std::vector<kafka::OffsetCommit>& commits,
                               const Status& status) const {
  if (!events_.log().enabled(telemetry::LogLevel::kDebug)) return;
  for (const kafka::OffsetCommit& commit : commits) {
    events_.log().debug(status.ok() ? "Offset committed" : "Offset not committed",
                        {{"topic", commit.partition.topic},
                         {"partition", commit.partition.partition},
                         {"offset", commit.offset},
                         {"leader_epoch", commit.leader_epoch},
                         {"metadata", commit.metadata},
                         {"error", status.ok() ? "" : status.error().message}});
  }
}

void ConsumerGroup::commit_now() {
  if (closed_ || (revocation_ && revocation_->committing)) return;
  if (committing_since_ && deps_.executor.clock().now() - *committing_since_ < kCommitTimeout) {
    return;
  }
  Commits commits = gather(nullptr);
  if (commits.empty()) return;
  commit(std::move(commits), [this](const Status& status) {
    if (!plan_pending()) return;
    if (status.ok()) {
      commit_now();
    } else {
      later(kCommitRetry, [this] { commit_now(); });
    }
  });
}

bool ConsumerGroup::plan_pending() const {
  return config_.batch_identity &&
         std::any_of(members_.begin(), members_.end(),
                     [](const auto& entry) { return entry.second->lane->plan_pending(); });
}

void ConsumerGroup::on_plan() {
  // After the lane has finished its plan.
  deps_.executor.post(guard_.wrap([this] { commit_now(); }));
}

void ConsumerGroup::commit_tick() {
  if (closed_) return;
  commit_now();
  later(config_.commit_interval, [this] { commit_tick(); });
}

}  // namespace spanway::kafka_bridge
