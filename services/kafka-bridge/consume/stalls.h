// The stalled streams of a destination, and the probes that end a stall when one is accepted. A
// stall covers one signal and tenant in all partitions of this process; everything else is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/kafka-bridge/events.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/callback_guard.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/random.h"
#include "services/lib/base/result.h"

namespace spanway::kafka_bridge {

// A batch that waits for the end of a stall.
class ProbeCandidate {
 public:
  virtual ~ProbeCandidate() = default;
  // Waits, and may be sent as a probe now.
  virtual bool can_probe() const noexcept = 0;
  // A probe is on its way.
  virtual bool probing() const noexcept = 0;
  // Refusals of the piece that would be sent next: the candidate with the fewest is probed first.
  virtual std::uint64_t refusals() const noexcept = 0;
  virtual void probe() = 0;
  virtual void resume() = 0;
};

// Is notified of stalls; unsubscribes before its end.
class StallListener {
 public:
  virtual ~StallListener() = default;
  virtual void on_stall_begun(const Stream& stream) = 0;
  // After its candidates were resumed.
  virtual void on_stall_ended(const Stream& stream) = 0;
};

// For /statusz.
struct StallStatus {
  enum class Scope { kDestination, kSignal, kTenant, kRecord } scope = Scope::kTenant;
  otlp::Signal signal = otlp::Signal::kTraces;
  std::string tenant;
  std::string reason;
  Duration age{};
};
std::string_view to_string(StallStatus::Scope scope) noexcept;

// Single-thread: everything on the executor, which outlives it, as the others do. Bounds: one probe
// of a stream at a time, kProbesMax over all streams; candidates are what the lanes keep.
class Stalls {
 public:
  static constexpr std::size_t kProbesMax = 16;

  Stalls(const RetryConfig& config, Executor& executor, EvidenceLedger& ledger,
         ConsumeEvents& events, Random random);
  ~Stalls();
  Stalls(const Stalls&) = delete;
  Stalls& operator=(const Stalls&) = delete;

  bool stalled(const Stream& stream) const { return stalls_.count(stream) > 0; }
  bool any() const noexcept { return !stalls_.empty(); }
  // Null, or zero, when the stream does not stall.
  const Error* reason(const Stream& stream) const;
  Duration age(const Stream& stream) const;
  // Stalls the stream, or renews the reason.
  void begin(const Stream& stream, const Error& error);
  // Waits for the end of the stall. Of a stalled stream only.
  void wait_for_probe(const Stream& stream, std::weak_ptr<ProbeCandidate> candidate);
  void on_probe_refused(const Stream& stream, const Error& error);
  // A batch sent at `sent` was accepted: ends the stall when it was sent after its beginning.
  void on_accepted(const Stream& stream, EvidenceLedger::Mark sent);

  void subscribe(StallListener& listener) { listeners_.push_back(&listener); }
  void unsubscribe(StallListener& listener) { std::erase(listeners_, &listener); }

  // `signals`: those that are consumed. Bounded: tenants of a signal that stalls entirely are one.
  std::vector<StallStatus> status(const std::vector<otlp::Signal>& signals) const;
  std::size_t count(otlp::Signal signal) const;

 private:
  struct Stall {
    Stall(Error cause, SteadyTime at, EvidenceLedger::Mark mark, Backoff wait)
        : error(std::move(cause)), since(at), begun(mark), backoff(std::move(wait)) {}
    Error error;
    SteadyTime since;
    EvidenceLedger::Mark begun;
    Backoff backoff;
    Timer timer;
    std::deque<std::weak_ptr<ProbeCandidate>> waiting;
    std::weak_ptr<ProbeCandidate> probing;
  };
  static bool has_probe(const Stall& stall);
  void schedule(const Stream& stream, Stall& stall, Duration wait);
  void probe(const Stream& stream);
  std::shared_ptr<ProbeCandidate> next(Stall& stall);
  std::size_t probes() const;
  void end(const Stream& stream);

  const RetryConfig config_;
  Executor& executor_;
  EvidenceLedger& ledger_;
  ConsumeEvents& events_;
  Random random_;
  std::map<Stream, Stall> stalls_;
  std::vector<StallListener*> listeners_;
  CallbackGuard guard_;  // Guards functions posted to the executor.
};

}  // namespace spanway::kafka_bridge
