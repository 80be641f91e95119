#include "services/ingress/merger.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/pipeline/in_flight.h"

namespace spanway::ingress {
namespace {

// Requests whose client waits less than this go alone: a joined request lives as long as its most
// impatient part, which must not spoil it for the others.
constexpr Duration kRemainingMin = std::chrono::seconds(2);

// After the next hop has rejected items of a joined request: alone, each client gets exact counts.
constexpr Duration kAlone = std::chrono::minutes(5);
constexpr std::size_t kAloneMax = 10'000;  // Tenants and signals; more forget the others.

struct Part {
  pipeline::Batch batch;
  pipeline::AckToken token;
};
using Parts = std::vector<Part>;

Error stopping_error() {
  return unavailable("the ingress is stopping; send again, another replica will answer")
      .with_retry_after(std::chrono::seconds(1))
      .with_reason("stopping");
}

}  // namespace

// Shared by shards, timers and answers. Lives until the last of them is gone.
struct Merger::Core : std::enable_shared_from_this<Merger::Core> {
  Core(MergeConfig c, pipeline::Sink& n, MemoryBudget& b, const Clock& k, Events e)
      : config(std::move(c)), next(n), budget(b), clock(k), events(std::move(e)) {}

  void forward(Part part) noexcept;
  // Sends the parts on as one request, or one by one when they cannot be joined.
  void flush(Parts parts) noexcept;
  pipeline::Batch join(const Parts& parts, Permit permit) const;
  void answer(Parts& parts, Result<pipeline::Outcome> result) noexcept;
  void accepted(Parts& parts, const pipeline::Outcome& outcome) noexcept;
  void resend(Parts& parts) noexcept;
  void settle(Part& part, Result<pipeline::Outcome> result) noexcept;
  bool goes_alone(otlp::Signal signal, const std::string& tenant) noexcept;
  void send_alone(otlp::Signal signal, const std::string& tenant) noexcept;

  const MergeConfig config;
  pipeline::Sink& next;
  MemoryBudget& budget;
  const Clock& clock;
  const Events events;
  // Requests that wait here or are under way as part of a joined one.
  pipeline::InFlight in_flight;
  std::atomic<bool> closed{false};
  // Whose requests are not joined, and until when: the next hop has rejected items of a joined one.
  std::atomic<bool> any_alone{false};
  Mutex mutex;
  std::map<std::pair<otlp::Signal, std::string>, SteadyTime> alone SPANWAY_GUARDED_BY(mutex);
};

// The open buckets of one io thread.
class Merger::Shard : public std::enable_shared_from_this<Merger::Shard> {
 public:
  Shard(std::shared_ptr<Core> core, Executor& executor)
      : core_(std::move(core)), executor_(executor) {}

  // Takes the part, or leaves it where it is when there is no bucket left.
  bool collect(Part& part) noexcept;
  std::vector<Parts> take_all();
  std::size_t waiting() const;

 private:
  struct Bucket {
    Parts parts;
    std::size_t bytes = 0;
    std::uint64_t items = 0;
    std::uint64_t generation = 0;
    Timer timer;
  };
  using Buckets = std::unordered_map<std::string, Bucket>;

  Parts take(Bucket& bucket) SPANWAY_REQUIRES(mutex_);
  void put(Bucket& bucket, const std::string& tenant, Part part) SPANWAY_REQUIRES(mutex_);
  bool fits(const Bucket& bucket, const Part& part) const SPANWAY_REQUIRES(mutex_);
  bool is_full(const Bucket& bucket) const SPANWAY_REQUIRES(mutex_);
  void on_linger_over(otlp::Signal signal, const std::string& tenant, std::uint64_t generation);
  std::size_t open_buckets() const SPANWAY_REQUIRES(mutex_);

  const std::shared_ptr<Core> core_;
  Executor& executor_;
  mutable Mutex mutex_;
  // By tenant.
  std::array<Buckets, otlp::kSignals.size()> buckets_ SPANWAY_GUARDED_BY(mutex_);
  std::uint64_t generation_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

Parts Merger::Shard::take(Bucket& bucket) {
  bucket.timer.cancel();
  bucket.bytes = 0;
  bucket.items = 0;
  return std::exchange(bucket.parts, {});
}

void Merger::Shard::put(Bucket& bucket, const std::string& tenant, Part part) {
  if (bucket.parts.empty()) {
    const std::uint64_t generation = ++generation_;
    bucket.generation = generation;
    bucket.timer = executor_.post_after(
        core_->config.linger,
        [weak = weak_from_this(), signal = part.batch.signal, tenant, generation] {
          if (const auto self = weak.lock()) self->on_linger_over(signal, tenant, generation);
        });
  }
  bucket.bytes += part.batch.payload.size();
  bucket.items += part.batch.item_count;
  bucket.parts.push_back(std::move(part));
}

bool Merger::Shard::fits(const Bucket& bucket, const Part& part) const {
  return bucket.bytes + part.batch.payload.size() <= core_->config.bytes_max.bytes &&
         bucket.items + part.batch.item_count <=
             static_cast<std::uint64_t>(core_->config.items_max);
}

bool Merger::Shard::is_full(const Bucket& bucket) const {
  return bucket.bytes >= core_->config.bytes_max.bytes ||
         bucket.items >= static_cast<std::uint64_t>(core_->config.items_max) ||
         bucket.parts.size() >= static_cast<std::size_t>(core_->config.requests_max);
}

std::size_t Merger::Shard::open_buckets() const {
  std::size_t count = 0;
  for (const Buckets& buckets : buckets_) count += buckets.size();
  return count;
}

bool Merger::Shard::collect(Part& part) noexcept {
  const std::string tenant = part.batch.metadata.tenant;
  // At most two requests become ready: what was there when the part did not fit, and the part's
  // own.
  std::array<Parts, 2> ready;
  {
    MutexLock lock(mutex_);
    Buckets& buckets = buckets_[otlp::index_of(part.batch.signal)];
    auto found = buckets.find(tenant);
    if (found == buckets.end()) {
      if (open_buckets() >= static_cast<std::size_t>(core_->config.buckets_max)) return false;
      found = buckets.try_emplace(tenant).first;
    }
    Bucket& bucket = found->second;
    if (!bucket.parts.empty() && !fits(bucket, part)) ready[0] = take(bucket);
    put(bucket, tenant, std::move(part));
    if (is_full(bucket)) {
      ready[1] = take(bucket);
      buckets.erase(found);
    }
  }
  for (Parts& parts : ready)
    if (!parts.empty()) core_->flush(std::move(parts));
  return true;
}

void Merger::Shard::on_linger_over(otlp::Signal signal, const std::string& tenant,
                                   std::uint64_t generation) {
  Parts parts;
  {
    MutexLock lock(mutex_);
    Buckets& buckets = buckets_[otlp::index_of(signal)];
    const auto found = buckets.find(tenant);
    if (found == buckets.end() || found->second.generation != generation) return;
    parts = take(found->second);
    buckets.erase(found);
  }
  if (!parts.empty()) core_->flush(std::move(parts));
}

std::vector<Parts> Merger::Shard::take_all() {
  std::vector<Parts> all;
  MutexLock lock(mutex_);
  for (Buckets& buckets : buckets_) {
    for (auto& [tenant, bucket] : buckets) all.push_back(take(bucket));
    buckets.clear();
  }
  return all;
}

std::size_t Merger::Shard::waiting() const {
  std::size_t count = 0;
  MutexLock lock(mutex_);
  for (const Buckets& buckets : buckets_)
    for (const auto& [tenant, bucket] : buckets) count += bucket.parts.size();
  return count;
}

void Merger::Core::settle(Part& part, Result<pipeline::Outcome> result) noexcept {
  part.token.answer(std::move(result));
  in_flight.leave();
}

void Merger::Core::forward(Part part) noexcept {
  // The answer function has to be copyable, a token is not.
  auto token = std::make_shared<pipeline::AckToken>(std::move(part.token));
  next.send(std::move(part.batch), pipeline::AckToken([self = shared_from_this(),
                                                       token](Result<pipeline::Outcome> result) {
              token->answer(std::move(result));
              self->in_flight.leave();
            }));
}

pipeline::Batch Merger::Core::join(const Parts& parts, Permit permit) const {
  pipeline::Batch joined;
  joined.signal = parts.front().batch.signal;
  joined.metadata.tenant = parts.front().batch.metadata.tenant;
  joined.metadata.all_or_nothing = true;
  joined.permit = std::move(permit);
  std::size_t bytes = 0;
  for (const Part& part : parts) bytes += part.batch.payload.size();
  joined.payload.reserve(bytes);
  for (const Part& part : parts) {
    joined.payload.append(part.batch.payload.view());
    joined.item_count += part.batch.item_count;
    joined.deadline = joined.deadline.earlier(part.batch.deadline);
  }
  return joined;
}

void Merger::Core::flush(Parts parts) noexcept {
  std::optional<Permit> permit;
  if (parts.size() > 1) {
    std::size_t bytes = 0;
    for (const Part& part : parts) bytes += part.batch.payload.size();
    permit = budget.try_acquire(bytes);
  }
  if (!permit) {
    for (Part& part : parts) forward(std::move(part));
    return;
  }
  events.merged(parts.front().batch.signal, parts.size());
  pipeline::Batch joined = join(parts, *std::move(permit));
  auto kept = std::make_shared<Parts>(std::move(parts));
  next.send(std::move(joined),
            pipeline::AckToken([self = shared_from_this(), kept](Result<pipeline::Outcome> result) {
              self->answer(*kept, std::move(result));
            }));
}

void Merger::Core::answer(Parts& parts, Result<pipeline::Outcome> result) noexcept {
  if (result.ok()) {
    accepted(parts, *result);
    return;
  }
  const Error& error = result.error();
  const bool each_alone = error.refusal == Refusal::kData || error.refusal == Refusal::kUnknown;
  if (each_alone && !closed.load(std::memory_order_acquire)) {
    resend(parts);
    return;
  }
  for (Part& part : parts) settle(part, Error(error));
}

bool Merger::Core::goes_alone(otlp::Signal signal, const std::string& tenant) noexcept {
  if (!any_alone.load(std::memory_order_relaxed)) return false;
  MutexLock lock(mutex);
  const auto found = alone.find({signal, tenant});
  if (found == alone.end()) return false;
  if (clock.now() < found->second) return true;
  alone.erase(found);
  any_alone = !alone.empty();
  return false;
}

void Merger::Core::send_alone(otlp::Signal signal, const std::string& tenant) noexcept {
  MutexLock lock(mutex);
  if (alone.size() >= kAloneMax) alone.clear();
  alone.insert_or_assign({signal, tenant}, clock.now() + kAlone);
  any_alone = true;
}

// From our own bridge there is nothing rejected here: a joined request is all or nothing. Another
// receiver does not say whose items it has rejected: the shares add up to their number.
void Merger::Core::accepted(Parts& parts, const pipeline::Outcome& outcome) noexcept {
  pipeline::Outcome each;
  each.message = outcome.message;
  if (outcome.rejected > 0) {
    std::uint64_t items = 0;
    for (const Part& part : parts) items += part.batch.item_count;
    const pipeline::Batch& first = parts.front().batch;
    events.merge_unattributed(first.signal, outcome.rejected);
    send_alone(first.signal, first.metadata.tenant);
    each.message = std::to_string(outcome.rejected) + " of " + std::to_string(items) + " " +
                   std::string(otlp::item_name(first.signal)) +
                   " of a joined request were rejected downstream; the joined request may include "
                   "items of yours: " +
                   outcome.message;
  }
  std::uint64_t left = outcome.rejected;
  for (Part& part : parts) {
    each.rejected = std::min(left, part.batch.item_count);
    left -= each.rejected;
    settle(part, each);
  }
}

void Merger::Core::resend(Parts& parts) noexcept {
  events.merge_resent(parts.front().batch.signal, parts.size());
  const SteadyTime now = clock.now();
  for (Part& part : parts) {
    if (part.batch.deadline.passed(now)) {
      settle(part, transient_error(Code::kDeadlineExceeded,
                                   "the next hop took too long to refuse a joined request")
                       .with_reason("deadline"));
    } else {
      forward(std::move(part));
    }
  }
}

Merger::Merger(MergeConfig config, std::vector<Executor*> executors, pipeline::Sink& next,
               MemoryBudget& budget, const Clock& clock, Events events)
    : core_(std::make_shared<Core>(std::move(config), next, budget, clock, std::move(events))),
      executors_(std::move(executors)) {
  SPANWAY_CHECK(!executors_.empty());
  for (Executor* const executor : executors_)
    shards_.push_back(std::make_shared<Shard>(core_, *executor));
}

Merger::~Merger() {
  core_->closed.store(true, std::memory_order_release);
  for (const auto& shard : shards_)
    for (Parts& parts : shard->take_all())
      for (Part& part : parts) core_->settle(part, stopping_error());
}

Merger::Shard& Merger::shard_of_this_thread() noexcept {
  for (std::size_t i = 0; i < executors_.size(); ++i)
    if (executors_[i]->on_thread()) return *shards_[i];
  // Not an io thread: any shard will do.
  const std::size_t hash = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return *shards_[hash % shards_.size()];
}

bool Merger::passes_through(const pipeline::Batch& batch) const noexcept {
  const MergeConfig& config = core_->config;
  return !config.enabled || config.linger <= Duration::zero() ||
         batch.payload.size() >= config.small_request_bytes.bytes ||
         batch.item_count >= static_cast<std::uint64_t>(config.items_max) ||
         !batch.metadata.batch_id.empty() || !batch.metadata.traceparent.empty() ||
         core_->goes_alone(batch.signal, batch.metadata.tenant) ||
         batch.deadline.remaining(core_->clock.now()) < kRemainingMin;
}

void Merger::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  if (passes_through(batch)) {
    core_->next.send(std::move(batch), std::move(token));
    return;
  }
  if (!core_->in_flight.enter()) {
    token.nack(stopping_error());
    return;
  }
  batch.scanned.reset();
  Part part{std::move(batch), std::move(token)};
  if (!shard_of_this_thread().collect(part)) core_->forward(std::move(part));
}

bool Merger::drain(Deadline deadline) {
  // Collected requests are forwarded first; next then finishes them before it refuses anything.
  for (const auto& shard : shards_)
    for (Parts& parts : shard->take_all()) core_->flush(std::move(parts));
  const bool behind = core_->next.drain(deadline);
  // A request that slipped in meanwhile was or will be answered by a draining `next`.
  for (const auto& shard : shards_)
    for (Parts& parts : shard->take_all()) core_->flush(std::move(parts));
  return core_->in_flight.close_and_wait(deadline) && behind;
}

pipeline::SinkHealth Merger::health() const { return core_->next.health(); }

std::size_t Merger::waiting() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) count += shard->waiting();
  return count;
}

}  // namespace spanway::ingress
