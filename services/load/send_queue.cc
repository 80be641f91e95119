#include "services/load/send_queue.h"

#include <algorithm>
#include <utility>

namespace spanway::load {

SendQueue::SendQueue(const Plan& plan, QueueOptions options, Random random)
    : plan_(plan), options_(options), random_(random), next_request_(options.worker) {}

bool SendQueue::has_new(SteadyTime now) const noexcept {
  if (stopped_ || next_request_ >= plan_.request_count()) return false;
  return plan_.has_rate() || now < plan_.end();
}

std::optional<SendQueue::Attempt> SendQueue::next(SteadyTime now) {
  if (auto retry = next_retry(now)) return retry;
  return next_new(now);
}

std::optional<SendQueue::Attempt> SendQueue::next_retry(SteadyTime now) {
  if (waiting_.empty() || waiting_.begin()->first > now) return std::nullopt;
  const std::uint64_t request = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  Attempt& attempt = open_.at(request).attempt;
  ++attempt.number;
  return attempt;
}

std::optional<SendQueue::Attempt> SendQueue::next_new(SteadyTime now) {
  if (!has_new(now) || open_.size() >= options_.open_max) return std::nullopt;
  const SteadyTime due = plan_.has_rate() ? plan_.due(next_request_) : now;
  if (due > now) return std::nullopt;
  const Attempt attempt{.request = next_request_, .due = due, .first_sent = now};
  open_.emplace(attempt.request,
                Open{attempt, Backoff(options_.retry.backoff, Random(random_.next()))});
  next_request_ += options_.workers;
  return attempt;
}

std::optional<SteadyTime> SendQueue::wake_at() const {
  std::optional<SteadyTime> at;
  if (!waiting_.empty()) at = waiting_.begin()->first;
  // Without a rate there is no time to wait for: next() has something as soon as there is room.
  if (plan_.has_rate() && !stopped_ && !full() && next_request_ < plan_.request_count()) {
    const SteadyTime due = plan_.due(next_request_);
    at = at ? std::min(*at, due) : due;
  }
  return at;
}

SendQueue::Settlement SendQueue::answered(std::uint64_t request, const Error* error,
                                          SteadyTime now) {
  const auto found = open_.find(request);
  if (found == open_.end()) return Settlement::kUnknown;
  if (error != nullptr && error->refusal == Refusal::kTransient) {
    Duration wait = found->second.backoff.next();
    if (error->retry_after) wait = std::max<Duration>(wait, *error->retry_after);
    if (now + wait <= found->second.attempt.first_sent + options_.retry.retry_for) {
      waiting_.emplace(now + wait, request);
      return Settlement::kRetryLater;
    }
  }
  open_.erase(found);
  return Settlement::kDecided;
}

std::vector<SendQueue::Attempt> SendQueue::give_up() {
  std::vector<Attempt> attempts;
  attempts.reserve(open_.size());
  for (const auto& [request, open] : open_) attempts.push_back(open.attempt);
  open_.clear();
  waiting_.clear();
  return attempts;
}

}  // namespace spanway::load
