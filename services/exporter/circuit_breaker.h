// The circuit of a destination: after many failures only probes are sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "services/exporter/config.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/ack_token.h"

namespace spanway::exporter {

// Thread-safe. The circuit opens when, of every signal and tenant that had an answer within the
// window, `failure_ratio` of the answers were failures: one tenant that fails while another is
// accepted never opens it. While it is open, each of the failing signals and tenants sends one
// batch at a time as a probe, `open_for` after its last failure; others, which have not failed, are
// probes too, one batch at a time. The first batch that the destination takes, or refuses as data,
// closes it. Bound: kStreamsMax pairs of signal and tenant; the others count as one.
class CircuitBreaker {
 public:
  static constexpr std::size_t kStreamsMax = 256;
  enum class State { kClosed, kOpen, kHalfOpen };  // Half open: a probe has no answer yet.
  enum class Change { kNone, kOpened, kClosed };

  explicit CircuitBreaker(const CircuitBreakerConfig& config) : config_(config) {}

  // Zero: to be sent, and answered() follows. Above: refused, to be tried again after this time.
  Duration admit(otlp::Signal signal, const std::string& tenant, SteadyTime now);
  Change answered(otlp::Signal signal, const std::string& tenant,
                  const Result<pipeline::Outcome>& result, SteadyTime now);
  // An answer to a batch without items, which was not admitted: only a success counts.
  Change probed(const Result<pipeline::Outcome>& result);

  State state() const;
  // The failure that opened it, or the last one since; empty while it is closed.
  std::string last_failure() const;

 private:
  struct Counts {
    std::uint64_t answers = 0, failures = 0;
  };
  struct Stream {
    std::array<Counts, 2> halves;  // The current half of the window and the one before.
    SteadyTime probe_at = {};
    bool probing = false;
    bool failed = false;  // The last answer.
  };
  using Key = std::pair<otlp::Signal, std::string>;

  Stream& stream_of(otlp::Signal signal, const std::string& tenant) SPANWAY_REQUIRES(mutex_);
  void turn_window(SteadyTime now) SPANWAY_REQUIRES(mutex_);
  bool all_fail() const SPANWAY_REQUIRES(mutex_);
  Change close() SPANWAY_REQUIRES(mutex_);

  const CircuitBreakerConfig config_;
  mutable Mutex mutex_;
  std::map<Key, Stream> streams_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime half_began_ SPANWAY_GUARDED_BY(mutex_) = {};
  bool open_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::size_t probes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::string last_failure_ SPANWAY_GUARDED_BY(mutex_);
};

std::string_view to_string(CircuitBreaker::State state) noexcept;

}  // namespace spanway::exporter
