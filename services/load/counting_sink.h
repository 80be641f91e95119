// A backend for tests: takes everything, and knows of every numbered item whether it came, and how
// often. It can be slow, or fail, as configured.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/pipeline/in_flight.h"
#include "services/lib/pipeline/sink.h"
#include "services/load/item_finder.h"
#include "services/load/latency_histogram.h"
#include "services/load/ledger.h"
#include "services/load/seen_set.h"

namespace spanway::load {

// How it answers. What is refused is not counted as received.
struct Behaviour {
  Duration delay{0};                         // Before an answer.
  Code fail_code = Code::kOk;                // kOk = never fails.
  double fail_ratio = 1;                     // Share of requests, when there is a code.
  std::chrono::milliseconds retry_after{0};  // Goes with transient failures; 0 = as they come.
};

// Thread-safe.
class CountingSink final : public pipeline::Sink {
 public:
  // Answers that are late come from the pool's threads; it and the clock outlive the sink.
  CountingSink(Behaviour behaviour, http::IoPool& pool, const Clock& clock, Random random);

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override { return in_flight_->close_and_wait(deadline); }
  pipeline::SinkHealth health() const override {
    return {.reachable = true, .last_error = {}, .last_error_reason = {}};
  }

  void set_behaviour(const Behaviour& behaviour);
  Behaviour behaviour() const;
  // Forgets all runs and counts.
  void reset();

  // One JSON object: totals, and the same per run.
  std::string report_json() const;
  // Items of a ledger that have arrived; see compare.h.
  struct Presence {
    std::uint64_t received = 0;  // Items of the run, duplicates included.
    std::uint64_t unique = 0;
    LatencyHistogram latency;
  };
  Presence presence_of(std::uint64_t run) const;
  // How many of the run's numbers `first` to `first + count - 1` have arrived.
  std::uint64_t count_in(std::uint64_t run, std::uint64_t first, std::uint64_t count) const;

 private:
  static constexpr std::size_t kRunsMax = 256;  // Items of further runs count as foreign.
  struct Run {
    SeenSet seen;
    std::uint64_t received = 0;
    LatencyHistogram latency;
  };
  struct Totals {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;
    std::uint64_t malformed = 0;
    std::uint64_t bytes = 0;
    std::uint64_t received = 0;  // Numbered items.
    std::uint64_t foreign = 0;
  };

  Result<pipeline::Outcome> take(const pipeline::Batch& batch);
  bool should_fail() SPANWAY_REQUIRES(mutex_);
  void record(const FoundItems& found) SPANWAY_REQUIRES(mutex_);
  void answer_later(Duration delay, Result<pipeline::Outcome> result, pipeline::AckToken token);
  const Run* find(std::uint64_t run) const SPANWAY_REQUIRES(mutex_);

  http::IoPool& pool_;
  const Clock& clock_;
  // Shared with delayed answers.
  const std::shared_ptr<pipeline::InFlight> in_flight_ = std::make_shared<pipeline::InFlight>();
  std::atomic<std::size_t> next_thread_{0};
  mutable Mutex mutex_;
  Behaviour behaviour_ SPANWAY_GUARDED_BY(mutex_);
  Random random_ SPANWAY_GUARDED_BY(mutex_);
  Totals totals_ SPANWAY_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::unique_ptr<Run>> runs_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::load
