// The consumer group as /statusz and the metrics show it.
#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/consumer_group.h"
#include "services/kafka-bridge/signal_topics.h"
#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {
namespace {

// A pause throws the prefetch away, so only what has stalled for long is paused.
constexpr Duration kPauseAfter = std::chrono::seconds(30);
constexpr Duration kStatusInterval = std::chrono::seconds(1);

}  // namespace

void ConsumerGroup::status_tick() {
  if (closed_) return;
  update_status();
  later(kStatusInterval, [this] { status_tick(); });
}

void ConsumerGroup::update_status() {
  std::vector<PartitionStatus> statuses;
  std::vector<StallStatus> stalls = stalls_.status(signals_of(config_));
  std::size_t stalled = 0;
  std::size_t batches = 0;
  std::size_t bytes = 0;
  for (const auto& [partition, member] : members_) {
    PartitionStatus& status = statuses.emplace_back();
    status.partition = partition;
    watch(*member, status);
    stalled += status.stalled ? 1 : 0;
    batches += status.in_flight;
    bytes += member->lane->state().bytes;
    member->lane->add_failing(stalls);
  }
  for (const otlp::Signal signal : otlp::kSignals) {
    events_.stalled_streams(signal, stalls_.count(signal));
  }
  events_.stalled_partitions(stalled);
  events_.in_flight(batches, bytes);
  const auto items = count_items();
  for (const otlp::Signal signal : otlp::kSignals) {
    events_.items_in_flight(signal, items[otlp::index_of(signal)].in_flight);
  }
  MutexLock lock(mutex_);
  items_ = items;
  activity_ = activity_now_;
  status_ = std::move(statuses);
  stall_status_ = std::move(stalls);
}

// Checks that every item read is accounted for: held by a lane, or settled, or released.
std::array<ItemTotals, kSignalCount> ConsumerGroup::count_items() const {
  std::array<ItemTotals, kSignalCount> items;
  for (const otlp::Signal signal : otlp::kSignals) {
    items[otlp::index_of(signal)] = events_.totals(signal);
  }
  for (const auto& [partition, member] : members_) {
    items[otlp::index_of(member->lane->signal())].in_flight += member->lane->state().items;
  }
  for (const ItemTotals& totals : items) {
    if (!totals.add_up()) count_bug("ConsumerGroup: items read do not add up");
  }
  return items;
}

// Reports assigned and revoked partitions at once.
void ConsumerGroup::update_status_soon() {
  if (std::exchange(status_update_posted_, true)) return;
  deps_.executor.post(guard_.wrap([this] {
    status_update_posted_ = false;
    if (!closed_) update_status();
  }));
}

void ConsumerGroup::watch(Member& member, PartitionStatus& status) {
  const PartitionLane::State state = member.lane->state();
  status.in_flight = state.in_flight;
  status.committed = state.committed;
  status.batches = member.lane->batches();
  status.tenants = member.lane->tenants();
  status.stalled = state.stalled;
  status.reason = state.reason;
  if (const auto marks = consumer_->watermarks(member.partition)) {
    status.lag_messages = std::max<std::int64_t>(0, marks->high - state.committed);
  }
  status.lag_seconds = lag_seconds(member, state, status.lag_messages);
  if (status.lag_messages) {
    events_.lag(member.partition.topic, member.partition.partition, *status.lag_messages,
                status.lag_seconds);
  }
  const bool was_paused = member.paused || member.shed;
  if (state.stalled && state.stalled_for >= kPauseAfter) member.paused = true;
  if (!state.stalled) member.paused = false;
  if (deps_.budget.admits()) member.shed = false;
  const bool paused = member.paused || member.shed;
  if (paused && !was_paused) consumer_->pause(member.partition);
  if (!paused && was_paused) consumer_->unpause(member.partition);
}

// By the producer's clock: the age of the oldest record that is read and not done. That clock may
// be wrong or missing, and nothing may have been read; so by ours as well: how long the commit has
// not moved although something lies behind it, once that is more than the commit interval explains.
double ConsumerGroup::lag_seconds(Member& member, const PartitionLane::State& state,
                                  std::optional<std::int64_t> lag_messages) {
  using Seconds = std::chrono::duration<double>;
  const SteadyTime now = deps_.executor.clock().now();
  if (state.committed != member.committed || lag_messages.value_or(0) == 0) {
    member.committed = state.committed;
    member.moved = now;
  }
  Seconds lag{0};
  if (state.oldest_timestamp_ms && *state.oldest_timestamp_ms > 0) {
    const auto since_epoch = deps_.executor.clock().system_now().time_since_epoch();
    lag = std::max(
        lag, Seconds(since_epoch) - Seconds(std::chrono::milliseconds(*state.oldest_timestamp_ms)));
  }
  const Duration still = now - member.moved;
  if (still > config_.commit_interval + 2 * kStatusInterval) lag = std::max(lag, Seconds(still));
  return lag.count();
}

std::vector<PartitionStatus> ConsumerGroup::partitions() const {
  MutexLock lock(mutex_);
  return status_;
}

std::vector<StallStatus> ConsumerGroup::stalls() const {
  MutexLock lock(mutex_);
  return stall_status_;
}

std::array<ItemTotals, kSignalCount> ConsumerGroup::items() const {
  MutexLock lock(mutex_);
  return items_;
}

GroupActivity ConsumerGroup::activity() const {
  MutexLock lock(mutex_);
  return activity_;
}

Status ConsumerGroup::fatal() const {
  MutexLock lock(mutex_);
  return fatal_;
}

}  // namespace spanway::kafka_bridge
