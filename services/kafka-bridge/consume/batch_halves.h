// Cuts a refused batch in two, so that the destination's answers to both halves show which item it
// refuses. What was read from Kafka has been accepted: no limit is applied here, and no item is
// left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "services/kafka-bridge/consume/commit_note.h"
#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// How many units of delivery a scanned record holds without its rejected items: spans, data points
// or log records, and 1 for each metric without data points. The halves of a batch add up to the
// units of its records.
std::uint64_t unit_count(const otlp::Index& index) noexcept;

struct BatchHalf {
  Bytes payload;
  std::uint64_t item_count = 0;  // At least 1.
};

// Stateless; thread-safe. `item_count`: units of all records that `payload` was joined from.
// Data error: the batch cannot be divided so that both halves hold something and together hold
// everything (a single item, or framing that cannot be parsed); it is then not split. Transient: no
// memory for the index now. Both halves together have the size of `payload`, and the resource and
// scope repeated: these bytes are the caller's, the index is charged to `memory` (may be null).
Result<std::pair<BatchHalf, BatchHalf>> halve_batch(otlp::Signal signal, std::string_view payload,
                                                    std::uint64_t item_count, MemoryBudget* memory);

struct BatchPart {
  ItemRange items;
  Bytes payload;
};

// The parts that halve_batch() makes of `payload`, again and again, and that lie within `requested`
// (increasing). Errors as above; data also when `requested` does not follow from halving.
Result<std::vector<BatchPart>> batch_parts(otlp::Signal signal, std::string_view payload,
                                           std::uint64_t item_count,
                                           const std::vector<ItemRange>& requested,
                                           MemoryBudget* memory);

}  // namespace spanway::kafka_bridge
