// Cutting requests: drop the rejected items, split by partition and by size, halve. All work on the
// bytes that a Scanner has indexed. Joining needs no function: serialized Export requests
// concatenate to their union.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/placement.h"
#include "services/lib/otlp/scan.h"

namespace spanway::otlp {

// Everywhere below, `payload` is what `index` was scanned from. Items keep their order and their
// bytes; resources and scopes without items are left out. Unknown fields of the
// request itself go into the first part that has room for them. Functions without state:
// thread-safe.

// The request without its rejected items (and without scopes and resources that became empty).
Bytes without_rejected(const Index& index, std::string_view payload);

struct Part {
  std::int32_t partition = 0;
  Bytes payload;
  std::uint64_t item_count = 0;  // Spans, data points or log records.
  // The lower-case hex trace id when the part was cut by trace (SplitOptions::by_trace) and its
  // items have one; else empty.
  char trace_id_hex[kTraceIdHexChars + 1] = {};
};

struct SplitOptions {
  std::int32_t partition_count = 1;
  // A part is at most this large, except where a single item with its prefix is larger (the
  // scanner's limits keep that from happening to accepted items). A larger metric is cut between
  // its data points, unless what each piece must repeat would fill more than half of a part.
  std::size_t part_bytes_max = 900u << 10;
  // One part per trace (traces, and log records that carry a trace id) instead of one per
  // partition.
  bool by_trace = false;
};

// Bytes of all parts that split() will return: grow the permit to it first. Exact, and costs about
// a fifth of split() itself.
std::size_t split_bytes(const Index& index, std::string_view payload, const SplitOptions& options);
// Accepted items only. When all of them go into one part, the part is a copy of the input, so
// check is_single_part() first and use the request itself.
std::vector<Part> split(const Index& index, std::string_view payload, const SplitOptions& options);
// True when nothing is rejected and all items belong to one partition (by_trace: to one trace) and
// fit one part; `partition` is then set. False for a request without items.
bool is_single_part(const Index& index, std::string_view payload, const SplitOptions& options,
                    std::int32_t& partition);

// Two halves of the accepted items (a single metric is halved by its data points); the
// second is empty when there is only one item. A metric without data points counts as one item
// here. Used to find the item that causes a refusal.
std::pair<Part, Part> halve(const Index& index, std::string_view payload);

}  // namespace spanway::otlp
