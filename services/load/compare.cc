#include "services/load/compare.h"

#include <algorithm>

#include "services/load/item_id.h"
#include "services/load/json_text.h"

namespace spanway::load {

Comparison compare(const Ledger& ledger, const CountingSink& sink) {
  Comparison result;
  const CountingSink::Presence presence = sink.presence_of(ledger.run);
  result.received = presence.received;
  result.unique = presence.unique;
  result.duplicates = presence.received - presence.unique;
  result.latency = presence.latency;
  std::uint64_t seen_in_ledger = 0;
  for (const LedgerEntry& entry : ledger.entries) {
    const std::uint64_t seen = sink.count_in(ledger.run, entry.first, entry.count);
    seen_in_ledger += seen;
    result.unseen += entry.count - seen;
    if (entry.outcome == LedgerEntry::Outcome::kFailed) {
      result.failed += entry.count;
      result.failed_but_received += seen;
      continue;
    }
    const std::uint64_t acknowledged = entry.count - entry.rejected;
    result.acknowledged += acknowledged;
    result.rejected += entry.rejected;
    result.missing += acknowledged - std::min(acknowledged, seen);
  }
  result.unrecorded = presence.unique - std::min(presence.unique, seen_in_ledger);
  return result;
}

std::string to_json(const Comparison& comparison) {
  return JsonObject()
      .add("acknowledged", comparison.acknowledged)
      .add("rejected", comparison.rejected)
      .add("failed", comparison.failed)
      .add("received", comparison.received)
      .add("unique", comparison.unique)
      .add("duplicates", comparison.duplicates)
      .add("missing", comparison.missing)
      .add("unseen", comparison.unseen)
      .add("failed_but_received", comparison.failed_but_received)
      .add("unrecorded", comparison.unrecorded)
      .add_raw("latency_ms", latency_json(comparison.latency))
      .text();
}

}  // namespace spanway::load
