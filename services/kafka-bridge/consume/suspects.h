// The items of one batch that seem to be the cause of its refusal, and the evidence that decides
// about them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "services/kafka-bridge/consume/batch_piece.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kafka_bridge {

// How long a suspect waits for another batch of its stream to be accepted.
inline constexpr Duration kEvidenceWait = std::chrono::seconds(5);
// A single item about which nothing but its own refusals is known becomes a dead letter after it
// was refused as data for this long.
inline constexpr Duration kUnprovenWait = std::chrono::minutes(10);

// One item that the destination refused by itself. It becomes a dead letter once that is confirmed:
// other batches were accepted before and after its last refusal, and the stream did not stall in
// between.
struct Suspect {
  BatchPiece piece;
  Error error;
  bool proven = false;   // Others were accepted before it was refused again.
  bool stalled = false;  // Refused while its stream stalled, as a probe: no evidence about others.
  EvidenceLedger::Mark refused = 0;
  std::uint64_t stalls = 0;
  SteadyTime since;
};

// Single-thread; the ledger outlives it. Bound: the caller's number of pieces.
class Suspects {
 public:
  enum class Decision { kConfirmed, kTryAgain, kStalls };
  struct Decided {
    Suspect suspect;
    Decision decide;
  };

  // `delivery` is the batch's name in the ledger.
  Suspects(Stream stream, std::uint64_t delivery, EvidenceLedger& ledger)
      : stream_(std::move(stream)), delivery_(delivery), ledger_(ledger) {}

  void add(BatchPiece piece, Error error, bool stream_stalls, SteadyTime now);
  // The first suspect that the evidence decides; it leaves the list. `alone`: nothing else of the
  // batch is undecided.
  std::optional<Decided> take_decided(SteadyTime now, bool alone);
  // When time alone may decide one; nothing when only evidence can.
  std::optional<SteadyTime> next_deadline(SteadyTime now) const;

  bool empty() const noexcept { return suspects_.empty(); }
  std::size_t size() const noexcept { return suspects_.size(); }
  const std::deque<Suspect>& all() const noexcept { return suspects_; }

 private:
  std::optional<Decision> decide(const Suspect& suspect, SteadyTime now, bool alone) const;
  std::optional<Decision> decide_proven(const Suspect& suspect, SteadyTime now) const;
  std::optional<Decision> decide_unproven(const Suspect& suspect, SteadyTime now) const;
  bool refused_while_others_passed(const BatchPiece& piece) const;
  std::optional<Decision> decide_in_stall(const Suspect& suspect, SteadyTime now, bool alone) const;

  const Stream stream_;
  const std::uint64_t delivery_;
  EvidenceLedger& ledger_;
  std::deque<Suspect> suspects_;
};

}  // namespace spanway::kafka_bridge
