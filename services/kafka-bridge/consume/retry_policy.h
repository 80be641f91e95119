// The next step of a batch that the destination has refused. Pure decisions; delivery.h acts on
// them. The kind of the refusal selects the first step, the evidence decides the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kafka_bridge {

enum class Step {
  kRetry,    // The same bytes again, after a wait.
  kRotate,   // Other pieces of this batch first: if they are accepted, this one is at fault.
  kHalve,    // Halve it, to find the refused item.
  kSuspect,  // One item that fails alone: a dead letter as soon as that is confirmed.
  kStall,    // The whole stream fails: only probes from now on.
};

// The facts about a piece that was refused.
struct Refused {
  Refusal kind = Refusal::kUnknown;
  bool timed_out = false;
  bool single_item = false;
  bool full_batch = true;  // Not halved yet.
  bool probe = false;      // Sent to find out whether a stall is over.
  // The destination stores each batch identity once, and a half has another identity.
  bool stored_once = false;
  // Refusals of exactly these bytes, this one included.
  std::int64_t tries = 1;
  // Others of the stream were sent after this piece was first refused and accepted before it was
  // sent again: it fails alone.
  bool others_accepted = false;
  // Tries before which others were accepted since the try before.
  std::int64_t tries_alone = 0;
  // How long it has been refused although others were accepted since its first refusal.
  Duration alone_for{};
  // Other batches of the stream were refused too, and none accepted since.
  bool others_fail = false;
  // The other pieces have had their turn, or there are none.
  bool others_tried = false;
  bool may_halve = true;   // The bound on pieces allows another half.
  Duration failing_for{};  // How long nothing of the stream has been accepted.
  // Outcomes of other batches' first tries since this piece was first refused.
  EvidenceLedger::Counts others;
};

// A transient failure of everything becomes a stall after this time.
inline constexpr Duration kTransientStall = std::chrono::seconds(10);
// One item that fails alone may have met several outages, one after the other: unless others were
// accepted between its tries, it does not count as the item that fails before this time.
inline constexpr Duration kAloneWait = std::chrono::seconds(30);
// A batch that was not answered may be stored. Sent again as it was it is stored once, its halves
// would be stored beside it: where identities count, it is halved only after this time.
inline constexpr Duration kUnansweredWait = std::chrono::minutes(5);

Step next_step(const RetryConfig& config, const Refused& refused) noexcept;

// How often one item has to fail in a row before it counts as the item that fails: so often that,
// if it were like the others, the chance would be below one in a million.
std::int64_t tries_to_blame(const RetryConfig& config,
                            const EvidenceLedger::Counts& others) noexcept;

// The exporter has not sent the batch, because the circuit of the destination is open: evidence
// that the destination fails, and none against the batch, whose tries it is not.
bool is_circuit_open(const Error& error) noexcept;

// The wait before the next try: the back-off, or the destination's retry_after, if that is longer.
Duration retry_wait(const RetryConfig& config, Backoff& backoff,
                    std::optional<std::chrono::milliseconds> retry_after) noexcept;

}  // namespace spanway::kafka_bridge
