#include "operator/cache/work_queue.h"

#include <algorithm>

namespace spanway::kube {
namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(5);
constexpr Duration kLastRetry = std::chrono::seconds(60);
constexpr double kTokensPerSecond = 10;
constexpr double kTokensMax = 100;
// 5 ms doubled this often is above 60 s.
constexpr int kDoublingsMax = 14;
constexpr Duration kFirstTimedOut = std::chrono::seconds(1);
constexpr Duration kLastTimedOut = std::chrono::seconds(60);
constexpr int kTimedOutDoublingsMax = 6;
// Longer than the last back-off: a namespace that still hangs times out again before it expires.
constexpr Duration kSlowFor = std::chrono::minutes(2);
// A slow namespace is served after at most this many others.
constexpr int kFastInARow = 8;

Duration retry_wait(int failures) {
  return std::min(kLastRetry, kFirstRetry * (std::int64_t{1} << std::min(failures, kDoublingsMax)));
}

}  // namespace

WorkQueue::WorkQueue(const Clock& clock, std::size_t slow_workers_max)
    : clock_(clock), slow_workers_max_(slow_workers_max), refilled_(clock.now()) {}

void WorkQueue::put_ready(const ObjectKey& key) {
  std::deque<ObjectKey>& keys = ready_[key.name_space];
  if (keys.empty()) turns_.push_back(key.name_space);
  keys.push_back(key);
  ++waiting_;
  changed_.notify_one();
}

void WorkQueue::add_locked(const ObjectKey& key) {
  if (closed_ || !dirty_.insert(key).second) return;
  if (processing_.count(key) > 0) return;  // done() puts it back.
  put_ready(key);
}

void WorkQueue::add(const ObjectKey& key) {
  MutexLock lock(mutex_);
  add_locked(key);
}

void WorkQueue::add_after_locked(const ObjectKey& key, Duration wait) {
  if (closed_) return;
  if (wait <= Duration::zero()) return add_locked(key);
  const SteadyTime due = clock_.now() + wait;
  const auto [found, is_new] = delayed_.try_emplace(key, due);
  if (!is_new) found->second = std::min(found->second, due);
  // A worker that waits for a later key must re-evaluate its wait.
  changed_.notify_one();
}

void WorkQueue::add_after(const ObjectKey& key, Duration wait) {
  MutexLock lock(mutex_);
  add_after_locked(key, wait);
}

void WorkQueue::add_rate_limited(const ObjectKey& key, Duration at_least) {
  MutexLock lock(mutex_);
  const Duration own = retry_wait(failures_[key]++);
  const SteadyTime now = clock_.now();
  const std::chrono::duration<double> passed = now - refilled_;
  tokens_ = std::min(kTokensMax, tokens_ + passed.count() * kTokensPerSecond) - 1;
  refilled_ = now;
  // In debt: wait until this key's token is refilled.
  const std::chrono::duration<double> shared(tokens_ < 0 ? -tokens_ / kTokensPerSecond : 0);
  add_after_locked(key, std::max({own, std::chrono::duration_cast<Duration>(shared),
                                  std::min(at_least, kLastRetry)}));
}

void WorkQueue::add_timed_out(const ObjectKey& key) {
  MutexLock lock(mutex_);
  if (closed_) return;
  const int before = timeouts_[key]++;
  slow_until_[key.name_space] = clock_.now() + kSlowFor;
  add_after_locked(
      key, std::min(kLastTimedOut,
                    kFirstTimedOut * (std::int64_t{1} << std::min(before, kTimedOutDoublingsMax))));
}

void WorkQueue::forget(const ObjectKey& key) {
  MutexLock lock(mutex_);
  failures_.erase(key);
  if (timeouts_.erase(key) > 0) slow_until_.erase(key.name_space);
}

bool WorkQueue::is_slow(const std::string& name_space) {
  const auto found = slow_until_.find(name_space);
  if (found == slow_until_.end()) return false;
  if (clock_.now() < found->second) return true;
  slow_until_.erase(found);
  return false;
}

std::list<std::string>::iterator WorkQueue::next_turn() {
  const bool slow_may_run = slow_processing_ < slow_workers_max_;
  auto slow = turns_.end();
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    if (is_slow(*turn)) {
      if (slow == turns_.end()) slow = turn;
      if (slow_may_run && fast_taken_ >= kFastInARow) return slow;
      continue;
    }
    return turn;
  }
  return slow_may_run ? slow : turns_.end();
}

void WorkQueue::move_due() {
  const SteadyTime now = clock_.now();
  for (auto entry = delayed_.begin(); entry != delayed_.end();) {
    if (entry->second > now) {
      ++entry;
      continue;
    }
    add_locked(entry->first);
    entry = delayed_.erase(entry);
  }
}

std::optional<ObjectKey> WorkQueue::take() {
  move_due();
  if (closed_) return std::nullopt;
  const auto turn = next_turn();
  if (turn == turns_.end()) return std::nullopt;
  const auto keys = ready_.find(*turn);
  ObjectKey key = std::move(keys->second.front());
  keys->second.pop_front();
  --waiting_;
  if (keys->second.empty()) {
    ready_.erase(keys);
    turns_.erase(turn);
  } else {
    turns_.splice(turns_.end(), turns_, turn);
  }
  const bool slow = is_slow(key.name_space);
  fast_taken_ = slow ? 0 : std::min(fast_taken_ + 1, kFastInARow);
  slow_processing_ += slow ? 1 : 0;
  dirty_.erase(key);
  processing_.emplace(key, slow);
  return key;
}

std::optional<ObjectKey> WorkQueue::try_next() {
  MutexLock lock(mutex_);
  return take();
}

std::optional<ObjectKey> WorkQueue::next() {
  MutexLock lock(mutex_);
  while (!closed_) {
    if (auto key = take()) return key;
    if (delayed_.empty()) {
      changed_.wait(mutex_);
      continue;
    }
    const auto earliest =
        std::min_element(delayed_.begin(), delayed_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    // A copy: the entry may be erased during the wait.
    const Duration wait = earliest->second - clock_.now();
    if (wait > Duration::zero()) changed_.wait_for(mutex_, wait);
  }
  return std::nullopt;
}

void WorkQueue::done(const ObjectKey& key) {
  MutexLock lock(mutex_);
  if (const auto found = processing_.find(key); found != processing_.end()) {
    slow_processing_ -= found->second ? 1 : 0;
    processing_.erase(found);
  }
  if (closed_) return;
  if (dirty_.count(key) > 0) put_ready(key);
  // A slow key may be waiting for this worker.
  if (waiting_ > 0) changed_.notify_one();
}

void WorkQueue::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  ready_.clear();
  turns_.clear();
  waiting_ = 0;
  dirty_.clear();
  delayed_.clear();
  changed_.notify_all();
}

std::size_t WorkQueue::waiting() const {
  MutexLock lock(mutex_);
  return waiting_;
}

}  // namespace spanway::kube
