#include "services/load/compare.h"

#include <algorithm>

#include "services/load/item_id.h"
#include "services/load/latency_json.h"

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
  std::string text;
  JsonWriter json(text);
  json.begin_object()
      .member("acknowledged", comparison.acknowledged)
      .member("rejected", comparison.rejected)
      .member("failed", comparison.failed)
      .member("received", comparison.received)
      .member("unique", comparison.unique)
      .member("duplicates", comparison.duplicates)
      .member("missing", comparison.missing)
      .member("unseen", comparison.unseen)
      .member("failed_but_received", comparison.failed_but_received)
      .member("unrecorded", comparison.unrecorded);
  write_latency(json, comparison.latency);
  json.end_object();
  return text;
}

}  // namespace spanway::load
