#include "services/kafka-bridge/consume/batch_halves.h"

#include <algorithm>
#include <limits>

#include "services/lib/base/check.h"
#include "services/lib/otlp/split.h"

namespace spanway::kafka_bridge {
namespace {

// A joined batch may exceed what RecordReader accepts of one record (submessages, fields of the
// request), so even those limits do not apply to it.
otlp::ScanLimits no_limits() {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  otlp::ScanLimits limits;
  limits.request_bytes_max = kNone;
  limits.prefix_bytes_max = kNone;
  limits.item_bytes_max = kNone;
  limits.value_depth_max = kNone;
  limits.submessages_max = kNone / 2;  // The scanner counts beyond it to end without memory.
  return limits;
}

}  // namespace

std::uint64_t unit_count(const otlp::Index& index) noexcept {
  if (index.signal != otlp::Signal::kMetrics) return index.accepted;
  const auto without_points =
      std::count_if(index.items.begin(), index.items.end(), [](const otlp::Item& item) {
        return item.reject == otlp::RejectReason::kNone && item.points == 0;
      });
  return index.accepted + static_cast<std::uint64_t>(without_points);
}

Result<std::pair<BatchHalf, BatchHalf>> halve_batch(otlp::Signal signal, std::string_view payload,
                                                    std::uint64_t item_count,
                                                    MemoryBudget* memory) {
  const Error stays_whole = invalid_argument("the batch cannot be halved");
  Permit index_memory = memory == nullptr ? Permit() : memory->empty_permit();
  otlp::Scanner scanner(no_limits());
  if (Status scanned = scanner.scan(signal, payload, &index_memory); !scanned.ok()) {
    if (scanned.error().refusal == Refusal::kTransient) return std::move(scanned).error();
    return stays_whole;
  }
  const otlp::Index& index = scanner.index();
  if (index.rejected != 0 || unit_count(index) != item_count) {
    // RecordReader has accepted and counted the same items.
    count_bug("halve_batch: the items are not those that were read");
    return stays_whole;
  }
  auto [first, second] = otlp::halve(index, payload);
  if (first.item_count == 0 || second.item_count == 0) return stays_whole;
  if (first.item_count + second.item_count != item_count) {
    count_bug("halve_batch: the halves do not add up");
    return stays_whole;
  }
  return std::pair(BatchHalf{std::move(first.payload), first.item_count},
                   BatchHalf{std::move(second.payload), second.item_count});
}

namespace {

// `items`: what `payload` holds. Depth: the logarithm of the number of items.
Status append_parts(otlp::Signal signal, std::string_view payload, ItemRange items,
                    const std::vector<ItemRange>& requested, MemoryBudget* memory,
                    std::vector<BatchPart>& parts) {
  bool overlaps = false;
  for (const ItemRange& range : requested) {
    if (items.first >= range.first && items.end() <= range.end()) {
      parts.push_back({items, Bytes(payload)});
      return ok_status();
    }
    overlaps = overlaps || (items.first < range.end() && range.first < items.end());
  }
  if (!overlaps) return ok_status();
  auto halves = halve_batch(signal, payload, items.count, memory);
  if (!halves.ok()) return std::move(halves).error();
  const auto& [first, second] = *halves;
  SPANWAY_TRY(append_parts(signal, first.payload.view(), {items.first, first.item_count}, requested,
                           memory, parts));
  return append_parts(signal, second.payload.view(),
                      {items.first + first.item_count, second.item_count}, requested, memory,
                      parts);
}

}  // namespace

Result<std::vector<BatchPart>> batch_parts(otlp::Signal signal, std::string_view payload,
                                           std::uint64_t item_count,
                                           const std::vector<ItemRange>& requested,
                                           MemoryBudget* memory) {
  std::vector<BatchPart> parts;
  SPANWAY_TRY(append_parts(signal, payload, {0, item_count}, requested, memory, parts));
  return parts;
}

}  // namespace spanway::kafka_bridge
