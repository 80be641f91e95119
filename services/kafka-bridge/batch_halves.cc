#include "services/kafka-bridge/batch_halves.h"

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
  limits.submessages_max = kNone;
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

std::optional<std::pair<BatchHalf, BatchHalf>> halve_batch(otlp::Signal signal,
                                                           std::string_view payload,
                                                           std::uint64_t item_count) {
  otlp::Scanner scanner(no_limits());
  if (!scanner.scan(signal, payload).ok()) return std::nullopt;
  const otlp::Index& index = scanner.index();
  if (index.rejected != 0 || unit_count(index) != item_count) {
    // RecordReader has accepted and counted the same items.
    count_bug("halve_batch: the items are not those that were read");
    return std::nullopt;
  }
  auto [first, second] = otlp::halve(index, payload);
  if (first.item_count == 0 || second.item_count == 0) return std::nullopt;
  if (first.item_count + second.item_count != item_count) {
    count_bug("halve_batch: the halves do not add up");
    return std::nullopt;
  }
  return std::pair(BatchHalf{std::move(first.payload), first.item_count},
                   BatchHalf{std::move(second.payload), second.item_count});
}

}  // namespace spanway::kafka_bridge
