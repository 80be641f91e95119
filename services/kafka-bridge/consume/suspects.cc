#include "services/kafka-bridge/consume/suspects.h"

#include <algorithm>
#include <utility>

namespace spanway::kafka_bridge {

void Suspects::add(BatchPiece piece, Error error, bool stream_stalls, SteadyTime now) {
  Suspect suspect;
  suspect.piece = std::move(piece);
  suspect.error = std::move(error);
  suspect.proven = suspect.piece.others_accepted_before_send;
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
    const auto found = decide(*it, now, alone);
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
    const SteadyTime at = suspect.since + kEvidenceWait;
    if (at > now && (!next || at < *next)) next = at;
  }
  return next;
}

std::optional<Suspects::Decision> Suspects::decide(const Suspect& suspect, SteadyTime now,
                                                   bool alone) const {
  if (suspect.stalled) return decide_in_stall(suspect, now, alone);
  // A refusal from before a stall is no evidence.
  if (ledger_.stalls(stream_) != suspect.stalls) return Decision::kTryAgain;
  return suspect.proven ? decide_proven(suspect, now) : decide_unproven(suspect, now);
}

std::optional<Suspects::Decision> Suspects::decide_proven(const Suspect& suspect,
                                                          SteadyTime now) const {
  if (ledger_.accepted_after(stream_, suspect.refused)) return Decision::kConfirmed;
  if (now - suspect.since < kEvidenceWait) return std::nullopt;
  if (ledger_.others_refused_after(stream_, delivery_, suspect.refused)) return std::nullopt;
  return ledger_.take_unproven(stream_) ? Decision::kConfirmed : Decision::kStalls;
}

std::optional<Suspects::Decision> Suspects::decide_unproven(const Suspect& suspect,
                                                            SteadyTime now) const {
  const EvidenceLedger::Mark first = *suspect.piece.first_refusal;
  if (ledger_.accepted_after(stream_, first)) return Decision::kTryAgain;
  if (ledger_.others_refused_after(stream_, delivery_, first)) return Decision::kStalls;
  if (now - suspect.since < kEvidenceWait) return std::nullopt;
  if (suspect.piece.tries < 2) return Decision::kTryAgain;
  return refused_while_others_passed(suspect.piece) ? Decision::kConfirmed : Decision::kStalls;
}

// The last records of a stream: a batch behind the item was accepted while the destination had the
// item, and no batch comes that could show it again. A destination that began to refuse everything
// in between would get one good item dead-lettered, hence the bound of take_unproven().
bool Suspects::refused_while_others_passed(const BatchPiece& piece) const {
  return piece.only_data && ledger_.accepted_after(stream_, piece.first_sent) &&
         !ledger_.others_refused_after(stream_, delivery_, piece.first_sent) &&
         ledger_.take_unproven(stream_);
}

// A stream without any other traffic must not keep its commit for ever: the item is given up after
// a time that no short outage lasts, if it is the only one that its destination refuses.
std::optional<Suspects::Decision> Suspects::decide_in_stall(const Suspect& suspect, SteadyTime now,
                                                            bool alone) const {
  const bool given_up =
      alone && suspect.piece.only_data && now - *suspect.piece.suspected >= kUnprovenWait &&
      !ledger_.accepted_after(stream_, *suspect.piece.first_refusal) &&
      !ledger_.others_refused_after(stream_, delivery_, *suspect.piece.first_refusal) &&
      ledger_.take_unproven(stream_);
  return given_up ? Decision::kConfirmed : Decision::kTryAgain;
}

}  // namespace spanway::kafka_bridge
