// A part of a batch that is sent, refused, halved and settled by itself.
#pragma once

#include <cstdint>
#include <optional>

#include "services/kafka-bridge/consume/commit_note.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/lib/base/clock.h"
#include "services/lib/pipeline/pieces.h"

namespace spanway::kafka_bridge {

struct BatchPiece {
  pipeline::Pieces payload;
  ItemRange items;  // Within the batch.
  std::uint64_t attempts = 0;
  bool full_batch = true;  // All of the batch.
  // The destination has accepted it; only the copy for the dead-letter topic is missing.
  bool delivered = false;
  // Evidence against it. Halves inherit the first refusal.
  std::int64_t tries = 0;  // Refusals of exactly these bytes.
  bool only_data = true;   // Each of them was a data error.
  // Refusals before which others were accepted since the refusal before.
  std::int64_t tries_alone = 0;
  // Send time of the first refusal that others' acceptance preceded; since the last stall.
  std::optional<SteadyTime> alone_since;
  std::uint64_t stalls = 0;  // Stalls of the stream up to the last refusal.
  std::optional<EvidenceLedger::Mark> first_refusal;
  EvidenceLedger::Mark last_refusal = 0;
  EvidenceLedger::Mark first_sent = 0;  // The send that was refused first.
  EvidenceLedger::Counts counts_at_refusal;
  EvidenceLedger::Mark sent = 0;
  // Other batches were accepted between the first refusal and this try.
  bool others_accepted_before_send = false;
  bool others_accepted_between = false;  // Since the last refusal.
  bool others_tried = false;
  std::optional<SteadyTime> suspected;
};

}  // namespace spanway::kafka_bridge
