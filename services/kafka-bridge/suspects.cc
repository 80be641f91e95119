#include "services/kafka-bridge/suspects.h"

#include <algorithm>
#include <utility>

namespace spanway::kafka_bridge {

void Suspects::add(BatchPiece piece, Error error, bool stream_stalls, SteadyTime now) {
  Suspect suspect;
  suspect.piece = std::move(piece);
  suspect.error = std::move(error);
  suspect.proven = suspect.piece.passed_before_send;
  suspect.stalled = stream_stalls;
  suspect.refused = ledger_.now();
  suspect.stalls = ledger_.stalls(stream_);
  if (!suspect.piece.suspected) suspect.piece.suspected = now;
  suspect.since = suspect.proven ? now : *suspect.piece.suspected;
  suspects_.push_back(std::move(suspect));
}

std::optional<Suspects::Decided> Suspects::take_decided(SteadyTime now, bool alone) {
  alone = alone && suspects_.size() == 1;
  for (auto it = suspects_.begin(); it != suspects_.end(); ++it) {
    const auto found = verdict(*it, now, alone);
    if (!found) continue;
    Decided decided{std::move(*it), *found};
    suspects_.erase(it);
    return decided;
  }
  return std::nullopt;
}

std::optional<SteadyTime> Suspects::next_deadline(SteadyTime now) const {
  std::optional<SteadyTime> next;
  for (const Suspect& suspect : suspects_) {
    const SteadyTime at = suspect.since + kVerdictWait;
    if (at > now && (!next || at < *next)) next = at;
  }
  return next;
}

std::optional<Suspects::Verdict> Suspects::verdict(const Suspect& suspect, SteadyTime now,
                                                   bool alone) const {
  if (suspect.stalled) return verdict_in_stall(suspect, now, alone);
  // A refusal from before a stall says nothing.
  if (ledger_.stalls(stream_) != suspect.stalls) return Verdict::kTryAgain;
  return suspect.proven ? verdict_of_proven(suspect, now) : verdict_of_unproven(suspect, now);
}

std::optional<Suspects::Verdict> Suspects::verdict_of_proven(const Suspect& suspect,
                                                             SteadyTime now) const {
  if (ledger_.accepted_after(stream_, suspect.refused)) return Verdict::kConfirmed;
  if (now - suspect.since < kVerdictWait) return std::nullopt;
  if (ledger_.others_refused_after(stream_, delivery_, suspect.refused)) return std::nullopt;
  return ledger_.take_unproven(stream_) ? Verdict::kConfirmed : Verdict::kStalls;
}

std::optional<Suspects::Verdict> Suspects::verdict_of_unproven(const Suspect& suspect,
                                                               SteadyTime now) const {
  const EvidenceLedger::Mark first = *suspect.piece.first_refusal;
  if (ledger_.accepted_after(stream_, first)) return Verdict::kTryAgain;
  if (ledger_.others_refused_after(stream_, delivery_, first)) return Verdict::kStalls;
  if (now - suspect.since < kVerdictWait) return std::nullopt;
  return suspect.piece.tries < 2 ? Verdict::kTryAgain : Verdict::kStalls;
}

// A stream without any other traffic must not keep its commit for ever: the item is given up after
// a time that no short outage lasts, if it is the only one that its destination refuses.
std::optional<Suspects::Verdict> Suspects::verdict_in_stall(const Suspect& suspect, SteadyTime now,
                                                            bool alone) const {
  const bool given_up =
      alone && suspect.piece.only_data && now - *suspect.piece.suspected >= kUnprovenWait &&
      !ledger_.accepted_after(stream_, *suspect.piece.first_refusal) &&
      !ledger_.others_refused_after(stream_, delivery_, *suspect.piece.first_refusal) &&
      ledger_.take_unproven(stream_);
  return given_up ? Verdict::kConfirmed : Verdict::kTryAgain;
}

}  // namespace spanway::kafka_bridge
