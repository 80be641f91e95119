#include "operator/cache/work_queue.h"

#include <algorithm>

namespace spanway::kube {
namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(5);
constexpr Duration kLastRetry = std::chrono::seconds(1000);
constexpr double kTokensPerSecond = 10;
constexpr double kTokensMax = 100;
// 5 ms doubled this often is above 1000 s.
constexpr int kDoublingsMax = 18;

Duration retry_wait(int failures) {
  return std::min(kLastRetry, kFirstRetry * (std::int64_t{1} << std::min(failures, kDoublingsMax)));
}

}  // namespace

WorkQueue::WorkQueue(const Clock& clock) : clock_(clock), refilled_(clock.now()) {}

void WorkQueue::add_locked(const ObjectKey& key) {
  if (closed_ || !dirty_.insert(key).second) return;
  if (processing_.count(key) > 0) return;  // done() puts it back.
  ready_.push_back(key);
  changed_.notify_one();
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
  // A worker that waits for a later one has to look again.
  changed_.notify_one();
}

void WorkQueue::add_after(const ObjectKey& key, Duration wait) {
  MutexLock lock(mutex_);
  add_after_locked(key, wait);
}

void WorkQueue::add_rate_limited(const ObjectKey& key) {
  MutexLock lock(mutex_);
  const Duration own = retry_wait(failures_[key]++);
  const SteadyTime now = clock_.now();
  const std::chrono::duration<double> passed = now - refilled_;
  tokens_ = std::min(kTokensMax, tokens_ + passed.count() * kTokensPerSecond) - 1;
  refilled_ = now;
  // In debt: the token that this key takes is there only then.
  const std::chrono::duration<double> shared(tokens_ < 0 ? -tokens_ / kTokensPerSecond : 0);
  add_after_locked(key, std::max(own, std::chrono::duration_cast<Duration>(shared)));
}

void WorkQueue::forget(const ObjectKey& key) {
  MutexLock lock(mutex_);
  failures_.erase(key);
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
  if (closed_ || ready_.empty()) return std::nullopt;
  ObjectKey key = std::move(ready_.front());
  ready_.pop_front();
  dirty_.erase(key);
  processing_.insert(key);
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
    // A copy: the entry may be gone while we wait.
    const Duration wait = earliest->second - clock_.now();
    if (wait > Duration::zero()) changed_.wait_for(mutex_, wait);
  }
  return std::nullopt;
}

void WorkQueue::done(const ObjectKey& key) {
  MutexLock lock(mutex_);
  processing_.erase(key);
  if (closed_ || dirty_.count(key) == 0) return;
  ready_.push_back(key);
  changed_.notify_one();
}

void WorkQueue::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  ready_.clear();
  dirty_.clear();
  delayed_.clear();
  changed_.notify_all();
}

std::size_t WorkQueue::waiting() const {
  MutexLock lock(mutex_);
  return ready_.size();
}

}  // namespace spanway::kube
