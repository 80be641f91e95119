// Evidence from the answers of one destination about each (signal, tenant): does a refused batch
// fail alone, or does the destination refuse everything?
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/kafka-bridge/events.h"
#include "services/lib/base/clock.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// The telemetry of one signal and tenant: the smallest scope that stalls by itself.
struct Stream {
  otlp::Signal signal = otlp::Signal::kTraces;
  std::string tenant;
  auto operator<=>(const Stream&) const = default;
};

// Reacts to new evidence about a stream; unsubscribes before its end.
class EvidenceListener {
 public:
  virtual ~EvidenceListener() = default;
  // In the midst of the ledger's caller: must not call the ledger.
  virtual void on_evidence(const Stream& stream) = 0;
};

// Single-thread; shared by all partitions of one destination. Bound: kTenantsMax tenants of each
// signal; beyond it what is known of the accepted ones is forgotten, which only delays a
// classification.
class EvidenceLedger {
 public:
  static constexpr std::size_t kTenantsMax = 10'000;
  // A moment in the order of everything that was sent, accepted and refused. Grows.
  using Mark = std::uint64_t;
  struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;  // Batches refused at their first try.
  };

  Mark now() const noexcept { return now_; }
  // Before a batch is sent; the mark goes with it.
  Mark send() noexcept { return ++now_; }
  // The telemetry of a tenant has been read.
  void add_tenant(const Stream& stream) {
    if (!stream.tenant.empty()) has_tenants_[otlp::index_of(stream.signal)] = true;
  }
  void accept(const Stream& stream, Mark sent);
  // `delivery` identifies the batch. `first`: of these bytes. `explained`: others have been
  // accepted since its first refusal, so this one is no evidence against the stream.
  void refuse(const Stream& stream, std::uint64_t delivery, bool first, bool explained,
              SteadyTime sent_at);
  // A stall of the stream begins.
  void stall(const Stream& stream);

  void subscribe(EvidenceListener& listener) { listeners_.push_back(&listener); }
  void unsubscribe(EvidenceListener& listener) { std::erase(listeners_, &listener); }

  // Something that was sent after `mark` has been accepted.
  bool accepted_after(const Stream& stream, Mark mark) const;
  // Others than `delivery` were refused after `mark`, without an explanation.
  bool others_refused_after(const Stream& stream, std::uint64_t delivery, Mark mark) const;
  // When the oldest refusal since the last acceptance was sent.
  std::optional<SteadyTime> failing_since(const Stream& stream) const;
  Counts counts(const Stream& stream) const;
  std::uint64_t stalls(const Stream& stream) const;
  bool any_sent(otlp::Signal signal) const { return !streams_[otlp::index_of(signal)].empty(); }
  // Some of the signal's telemetry carries the name of a tenant.
  bool has_tenants(otlp::Signal signal) const { return has_tenants_[otlp::index_of(signal)]; }
  // A stream of the signal has been accepted, and not refused since.
  bool any_accepted(otlp::Signal signal) const;
  // The right to one dead letter that nothing proves: one since the last acceptance of the stream,
  // and one since the last of the destination, and only while no other stream is failing.
  bool take_unproven(const Stream& stream);

 private:
  struct State {
    Counts counts;
    Mark accepted_sent = 0;  // The latest mark of what was accepted.
    std::optional<SteadyTime> failing_since;
    // The last refusals without an explanation: of one delivery, and of any other than that.
    std::uint64_t refused_delivery = 0;
    Mark refused_at = 0;
    Mark other_refused_at = 0;
    std::uint64_t stalls = 0;
    bool unproven_used = false;
  };
  const State* find(const Stream& stream) const;
  State& at(const Stream& stream);
  void notify(const Stream& stream) const {
    for (EvidenceListener* listener : listeners_) listener->on_evidence(stream);
  }

  std::array<std::map<std::string, State, std::less<>>, kSignalCount> streams_;
  std::array<bool, kSignalCount> has_tenants_{};
  Mark now_ = 0;
  std::size_t failing_ = 0;  // Streams with failing_since.
  bool unproven_used_ = false;
  std::vector<EvidenceListener*> listeners_;
};

}  // namespace spanway::kafka_bridge
