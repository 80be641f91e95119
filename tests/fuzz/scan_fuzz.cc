// Scan, split and halve of arbitrary bytes: never a crash, and what was accepted comes out of every
// cut with the same count and scans cleanly again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"

namespace {

using spanway::Bytes;
using spanway::otlp::Index;
using spanway::otlp::Part;
using spanway::otlp::ScanLimits;
using spanway::otlp::Scanner;
using spanway::otlp::Signal;
using spanway::otlp::SplitOptions;

// Small enough for a fuzzer to reach every limit, or the defaults.
ScanLimits limits_of(bool small) {
  if (!small) return {};
  return {.request_bytes_max = 4096,
          .prefix_bytes_max = 96,
          .item_bytes_max = 256,
          .value_depth_max = 4,
          .submessages_max = 300};
}

// The items of `bytes`, which must scan without a fault.
std::uint64_t rescan(Signal signal, const ScanLimits& limits, const Bytes& bytes) {
  // A heap copy of exactly the right size: reads behind it are seen.
  const std::vector<char> copy(bytes.view().begin(), bytes.view().end());
  Scanner scanner(limits);
  SPANWAY_CHECK(scanner.scan(signal, {copy.data(), copy.size()}).ok());
  SPANWAY_CHECK(scanner.index().rejected == 0);
  return scanner.index().accepted;
}

void check_split(const Scanner& scanner, std::string_view payload, const SplitOptions& options) {
  const Index& index = scanner.index();
  std::uint64_t accepted = 0;
  std::size_t bytes = 0;
  for (const Part& part : split(index, payload, options)) {
    SPANWAY_CHECK(rescan(index.signal, scanner.limits(), part.payload) == part.item_count);
    if (options.part_bytes_max >= scanner.limits().item_bytes_max)
      SPANWAY_CHECK(part.payload.size() <= options.part_bytes_max);
    Scanner part_scanner(scanner.limits());
    SPANWAY_CHECK(part_scanner.scan(index.signal, part.payload.view()).ok());
    for (const auto& item : part_scanner.index().items) {
      SPANWAY_CHECK(spanway::otlp::partition_of(item.placement_hash, options.partition_count) ==
                    part.partition);
    }
    accepted += part.item_count;
    bytes += part.payload.size();
  }
  SPANWAY_CHECK(accepted == index.accepted);
  SPANWAY_CHECK(bytes == split_bytes(index, payload, options));
}

// Units of halving: spans, data points, log records, and 1 for a metric without data points.
std::uint64_t halving_units(const Index& index) {
  std::uint64_t units = index.accepted;
  if (index.signal != spanway::otlp::Signal::kMetrics) return units;
  for (const auto& item : index.items)
    if (item.reject == spanway::otlp::RejectReason::kNone && item.points == 0) ++units;
  return units;
}

// Halving ends with single items, and loses none on the way.
void check_halves(const Scanner& scanner, std::string_view payload, int depth) {
  const Index& index = scanner.index();
  const auto [first, second] = halve(index, payload);
  SPANWAY_CHECK(first.item_count + second.item_count == halving_units(index));
  for (const Part* half : {&first, &second}) {
    Scanner again(scanner.limits());
    SPANWAY_CHECK(again.scan(index.signal, half->payload.view()).ok());
    SPANWAY_CHECK(again.index().rejected == 0);
    SPANWAY_CHECK(halving_units(again.index()) == half->item_count);
    if (second.payload.empty() || depth == 0) continue;
    check_halves(again, half->payload.view(), depth - 1);
  }
}

}  // namespace

// The first byte chooses signal (two bits) and limits (one bit); the rest is the request.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto signal = static_cast<Signal>((data[0] & 3) % 3);
  const ScanLimits limits = limits_of((data[0] & 4) != 0);
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  Scanner scanner(limits);
  if (!scanner.scan(signal, payload).ok()) return 0;
  const Index& index = scanner.index();
  SPANWAY_CHECK((index.rejected > 0) == !index.reject_message.empty());

  SPANWAY_CHECK(rescan(signal, limits, without_rejected(index, payload)) == index.accepted);
  for (const bool by_trace : {false, true}) {
    check_split(
        scanner, payload,
        {.partition_count = 3, .part_bytes_max = limits.item_bytes_max, .by_trace = by_trace});
    check_split(scanner, payload,
                {.partition_count = 2, .part_bytes_max = 64, .by_trace = by_trace});
  }
  check_halves(scanner, payload, 3);
  return 0;
}
