// Decides what one worker sends when: new requests by the plan, refused ones again after a pause.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"
#include "services/lib/base/result.h"
#include "services/load/load_plan.h"

namespace spanway::load {

struct RetryOptions {
  // As the OTLP specification asks: exponential, with jitter; a longer RetryInfo or Retry-After is
  // honoured.
  BackoffOptions backoff{.initial = std::chrono::milliseconds(100),
                         .max = std::chrono::seconds(5),
                         .multiplier = 2.0,
                         .jitter = 0.5};
  // From a request's first try; no retry starts later.
  Duration retry_for = std::chrono::seconds(60);
};

struct QueueOptions {
  // This worker takes request `worker`, `worker + workers`, ...
  std::uint64_t worker = 0;
  std::uint64_t workers = 1;
  // Undecided requests at once, those waiting for a retry included.
  std::size_t open_max = 16;
  RetryOptions retry = {};
};

// External lock. Needs no thread and no timer: the caller asks again at wake_at().
class SendQueue {
 public:
  struct Attempt {
    std::uint64_t request = 0;
    SteadyTime due;         // By the plan; latencies count from here.
    SteadyTime first_sent;  // When the first attempt was sent.
    int number = 1;         // The number of this attempt.
  };

  // The plan outlives the queue.
  SendQueue(const Plan& plan, QueueOptions options, Random random);

  // The next request to send; nothing when nothing is due or the bound is reached.
  std::optional<Attempt> next(SteadyTime now);
  // When next() may have something; nothing when only an answer can bring it.
  std::optional<SteadyTime> wake_at() const;

  enum class Settlement : unsigned char { kDecided, kRetryLater, kUnknown };
  // The answer to an attempt: null = good. kUnknown = the request has been given up before.
  Settlement answered(std::uint64_t request, const Error* error, SteadyTime now);

  // No new requests from here on.
  void stop() noexcept { stopped_ = true; }
  // Everything that is undecided, which then is no longer.
  std::vector<Attempt> give_up();
  // The bound is reached: new requests wait for an answer.
  bool full() const noexcept { return open_.size() >= options_.open_max; }
  // Nothing is undecided and nothing new will come.
  bool done(SteadyTime now) const noexcept { return open_.empty() && !has_new(now); }
  // Requests of the plan that were never sent.
  std::uint64_t unsent_from() const noexcept { return next_request_; }

 private:
  struct Open {
    Attempt attempt;
    Backoff backoff;
  };
  bool has_new(SteadyTime now) const noexcept;
  std::optional<Attempt> next_retry(SteadyTime now);
  std::optional<Attempt> next_new(SteadyTime now);

  const Plan& plan_;
  const QueueOptions options_;
  Random random_;
  std::uint64_t next_request_;
  bool stopped_ = false;
  std::unordered_map<std::uint64_t, Open> open_;
  std::multimap<SteadyTime, std::uint64_t> waiting_;  // Retries, by their time.
};

}  // namespace spanway::load
