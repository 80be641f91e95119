#include "services/lib/otlp/split.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "services/lib/base/check.h"
#include "services/lib/otlp/metric_layout.h"
#include "services/lib/otlp/part_builder.h"

namespace spanway::otlp {
namespace {

std::string_view trace_id_of(const Item& item, std::string_view payload) {
  return item.trace_id_offset == 0 ? std::string_view()
                                   : payload.substr(item.trace_id_offset, kTraceIdBytes);
}

bool is_accepted(const Item& item) noexcept { return item.reject == RejectReason::kNone; }

// Indices of the accepted items, grouped by where they go; the order inside a group is the
// payload's. A group is [ends[g - 1], ends[g]).
struct Grouping {
  std::vector<std::uint32_t> items;
  std::vector<std::uint32_t> ends;
};

// Counting sort.
Grouping group_by_partition(const Index& index, std::int32_t partition_count) {
  constexpr std::uint32_t kNowhere = 0xffffffff;
  std::vector<std::uint32_t> partitions(index.items.size(), kNowhere);
  std::vector<std::uint32_t> next(static_cast<std::size_t>(partition_count) + 1, 0);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const Item& item = index.items[i];
    if (!is_accepted(item)) continue;
    partitions[i] = static_cast<std::uint32_t>(partition_of(item.placement_hash, partition_count));
    ++next[partitions[i] + 1];
  }
  for (std::size_t p = 1; p < next.size(); ++p) next[p] += next[p - 1];
  Grouping groups;
  groups.items.resize(next.back());
  for (std::uint32_t i = 0; i < partitions.size(); ++i)
    if (partitions[i] != kNowhere) groups.items[next[partitions[i]]++] = i;
  next.pop_back();  // The rest is the end of each partition.
  groups.ends = std::move(next);
  return groups;
}

// Two traces may share a placement hash; an attacker can create any number of them. Sorts the items
// of one hash by their ids and adds an end for each.
void group_equal_hashes(const Index& index, std::string_view payload, std::uint32_t begin,
                        Grouping& groups) {
  const std::span<std::uint32_t> items = std::span(groups.items).subspan(begin);
  const auto id = [&](std::uint32_t i) { return trace_id_of(index.items[i], payload); };
  const bool one_trace = std::all_of(items.begin(), items.end(),
                                     [&](std::uint32_t i) { return id(i) == id(items.front()); });
  if (!one_trace) {
    std::sort(items.begin(), items.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int order = id(a).compare(id(b));
      return order != 0 ? order < 0 : a < b;
    });
    for (std::size_t i = 1; i < items.size(); ++i)
      if (id(items[i]) != id(items[i - 1]))
        groups.ends.push_back(begin + static_cast<std::uint32_t>(i));
  }
  groups.ends.push_back(static_cast<std::uint32_t>(groups.items.size()));
}

// By trace; items without a trace id by partition.
Grouping group_by_trace(const Index& index, std::string_view payload,
                        std::int32_t partition_count) {
  constexpr std::uint64_t kNoTrace = std::uint64_t{1} << 63;  // Hashes and partitions have 31 bits.
  std::vector<std::uint64_t> keys;
  keys.reserve(index.items.size());
  for (std::uint32_t i = 0; i < index.items.size(); ++i) {
    const Item& item = index.items[i];
    if (!is_accepted(item)) continue;
    const auto partition =
        static_cast<std::uint32_t>(partition_of(item.placement_hash, partition_count));
    keys.push_back(item.trace_id_offset != 0 ? std::uint64_t{item.placement_hash} << 32 | i
                                             : kNoTrace | std::uint64_t{partition} << 32 | i);
  }
  std::sort(keys.begin(), keys.end());
  Grouping groups;
  groups.items.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size();) {
    const auto begin = static_cast<std::uint32_t>(i);
    const std::uint64_t group = keys[i] >> 32;
    for (; i < keys.size() && keys[i] >> 32 == group; ++i)
      groups.items.push_back(static_cast<std::uint32_t>(keys[i]));
    group_equal_hashes(index, payload, begin, groups);
  }
  return groups;
}

Grouping group(const Index& index, std::string_view payload, const SplitOptions& options) {
  SPANWAY_CHECK(options.partition_count > 0);
  return options.by_trace ? group_by_trace(index, payload, options.partition_count)
                          : group_by_partition(index, options.partition_count);
}

// Receives the parts of a Cutter, or only their sizes.
struct Output {
  std::vector<Part>* parts = nullptr;
  std::size_t bytes = 0;
};

// Cuts the groups into parts.
class Cutter {
 public:
  Cutter(const Index& index, std::string_view payload, const SplitOptions& options, Output& output)
      : index_(index),
        payload_(payload),
        options_(options),
        output_(output),
        builder_(index, payload) {}

  void cut(std::span<const std::uint32_t> items) {
    for (const std::uint32_t item : items) {
      if (builder_.add(item, options_.part_bytes_max)) continue;
      if (!builder_.empty()) {
        flush();
        if (builder_.add(item, options_.part_bytes_max)) continue;
      }
      add_oversized(item);
    }
    if (!builder_.empty()) flush();
  }

 private:
  void flush() {
    output_.bytes += builder_.size();
    if (output_.parts == nullptr) {
      builder_.drop();
      return;
    }
    const std::uint64_t count = builder_.item_count();
    const Item& first = index_.items[builder_.first_item()];
    add_part(first, count, builder_.take());
  }

  // Larger than a part: a metric in pieces, anything else as it is.
  void add_oversized(std::uint32_t item_index) {
    const Item& item = index_.items[item_index];
    if (index_.signal == Signal::kMetrics && item.points > 1) {
      read_metric_layout(payload_, item, layout_);
      if (builder_.metric_piece_bytes(item, layout_, 0) <= options_.part_bytes_max / 2) {
        cut_metric(item);
        return;
      }
    }
    builder_.add(item_index, PartBuilder::kUnlimited);
    flush();
  }

  void cut_metric(const Item& item) {
    const std::span<const Slice> points(layout_.points);
    for (std::size_t begin = 0; begin < points.size();) {
      std::size_t end = begin + 1;
      std::size_t points_bytes = points[begin].size;
      while (end < points.size() &&
             builder_.metric_piece_bytes(item, layout_, points_bytes + points[end].size) <=
                 options_.part_bytes_max) {
        points_bytes += points[end++].size;
      }
      output_.bytes += builder_.metric_piece_bytes(item, layout_, points_bytes);
      if (output_.parts != nullptr) {
        add_part(item, end - begin,
                 builder_.metric_piece(item, layout_, points.subspan(begin, end - begin)));
      }
      begin = end;
    }
  }

  void add_part(const Item& first, std::uint64_t item_count, Bytes bytes) {
    Part& part = output_.parts->emplace_back();
    part.partition = partition_of(first.placement_hash, options_.partition_count);
    part.item_count = item_count;
    part.payload = std::move(bytes);
    if (options_.by_trace && first.trace_id_offset != 0)
      write_trace_id_hex(payload_.data() + first.trace_id_offset, part.trace_id_hex);
  }

  const Index& index_;
  std::string_view payload_;
  const SplitOptions& options_;
  Output& output_;
  PartBuilder builder_;
  MetricLayout layout_;
};

void cut_all(const Index& index, std::string_view payload, const SplitOptions& options,
             Output& output) {
  const Grouping groups = group(index, payload, options);
  if (output.parts != nullptr) output.parts->reserve(groups.ends.size());
  Cutter cutter(index, payload, options, output);
  std::uint32_t begin = 0;
  for (const std::uint32_t end : groups.ends) {
    cutter.cut(std::span(groups.items).subspan(begin, end - begin));
    begin = end;
  }
}

// Some accepted items as one part, whatever its size.
Part part_of(PartBuilder& builder, std::span<const std::uint32_t> items) {
  for (const std::uint32_t item : items) builder.add(item, PartBuilder::kUnlimited);
  Part part;
  part.item_count = builder.item_count();
  part.payload = builder.take();
  return part;
}

// As part_of(); a metric without points counts, so that no half is empty that holds something.
Part half_of(const Index& index, PartBuilder& builder, std::span<const std::uint32_t> items) {
  Part part = part_of(builder, items);
  for (const std::uint32_t item : items) part.item_count += index.items[item].points == 0 ? 1 : 0;
  return part;
}

std::vector<std::uint32_t> accepted_items(const Index& index) {
  std::vector<std::uint32_t> items;
  items.reserve(index.items.size());
  for (std::uint32_t i = 0; i < index.items.size(); ++i)
    if (is_accepted(index.items[i])) items.push_back(i);
  return items;
}

std::pair<Part, Part> halve_metric(const Index& index, std::string_view payload, const Item& item) {
  MetricLayout layout;
  read_metric_layout(payload, item, layout);
  const PartBuilder builder(index, payload);
  const std::span<const Slice> points(layout.points);
  const std::size_t middle = (points.size() + 1) / 2;
  std::pair<Part, Part> halves;
  halves.first.item_count = middle;
  halves.first.payload = builder.metric_piece(item, layout, points.first(middle));
  halves.second.item_count = points.size() - middle;
  halves.second.payload = builder.metric_piece(item, layout, points.subspan(middle));
  return halves;
}

}  // namespace

Bytes without_rejected(const Index& index, std::string_view payload) {
  if (index.rejected == 0) return Bytes(payload);
  PartBuilder builder(index, payload);
  return part_of(builder, accepted_items(index)).payload;
}

std::size_t split_bytes(const Index& index, std::string_view payload, const SplitOptions& options) {
  std::int32_t partition = 0;
  if (is_single_part(index, payload, options, partition)) return payload.size();
  Output output;
  cut_all(index, payload, options, output);
  return output.bytes;
}

std::vector<Part> split(const Index& index, std::string_view payload, const SplitOptions& options) {
  std::vector<Part> parts;
  std::int32_t partition = 0;
  if (is_single_part(index, payload, options, partition)) {
    Part& part = parts.emplace_back();
    part.partition = partition;
    part.payload = Bytes(payload);
    part.item_count = index.accepted;
    if (const Item& first = index.items.front(); options.by_trace && first.trace_id_offset != 0)
      write_trace_id_hex(payload.data() + first.trace_id_offset, part.trace_id_hex);
    return parts;
  }
  Output output{.parts = &parts};
  cut_all(index, payload, options, output);
  return parts;
}

bool is_single_part(const Index& index, std::string_view payload, const SplitOptions& options,
                    std::int32_t& partition) {
  SPANWAY_CHECK(options.partition_count > 0);
  if (index.rejected != 0 || index.items.empty() || payload.size() > options.part_bytes_max)
    return false;
  const Item& first = index.items.front();
  const std::int32_t target = partition_of(first.placement_hash, options.partition_count);
  for (const Item& item : index.items) {
    if (item.placement_hash != first.placement_hash &&
        partition_of(item.placement_hash, options.partition_count) != target) {
      return false;
    }
    if (options.by_trace && trace_id_of(item, payload) != trace_id_of(first, payload)) return false;
  }
  partition = target;
  return true;
}

std::pair<Part, Part> halve(const Index& index, std::string_view payload) {
  const std::vector<std::uint32_t> items = accepted_items(index);
  if (items.size() == 1) {
    const Item& item = index.items[items.front()];
    if (index.signal == Signal::kMetrics && item.points > 1)
      return halve_metric(index, payload, item);
  }
  PartBuilder builder(index, payload);
  const std::size_t middle = (items.size() + 1) / 2;
  std::pair<Part, Part> halves;
  halves.first = half_of(index, builder, std::span(items).first(middle));
  halves.second = half_of(index, builder, std::span(items).subspan(middle));
  return halves;
}

}  // namespace spanway::otlp
