#include "services/lib/otlp/metric_layout.h"

#include <algorithm>

#include "services/lib/otlp/item_walker.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using wire::Ptr;

Slice slice_of(Ptr base, Ptr begin, Ptr end) noexcept {
  return {static_cast<std::uint32_t>(begin - base), static_cast<std::uint32_t>(end - begin)};
}

void clear(MetricLayout& layout) {
  layout.metric_prefix.clear();
  layout.data_prefix.clear();
  layout.points.clear();
  layout.metric_prefix_bytes = layout.data_prefix_bytes = layout.point_bytes_max = 0;
  layout.data_tag = 0;
}

void read_data(Ptr base, Ptr p, Ptr end, MetricLayout& layout) {
  while (p != nullptr && p != end) {
    wire::Field field;
    Ptr begin = p;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return;
    const Slice slice = slice_of(base, begin, p);
    if (field.tag == kPointsTag) {
      layout.points.push_back(slice);
      layout.point_bytes_max = std::max<std::size_t>(layout.point_bytes_max, slice.size);
    } else {
      layout.data_prefix.push_back(slice);
      layout.data_prefix_bytes += slice.size;
    }
  }
}

// The data field is a oneof: what was set before the last change of the field's tag is dead.
Ptr live_data_begin(Ptr p, Ptr end, std::uint32_t& data_tag) noexcept {
  Ptr live = end;
  while (p != nullptr && p != end) {
    wire::Field field;
    Ptr begin = p;
    p = wire::read_field(p, end, field);
    if (p == nullptr || !is_metric_data(field.tag) || field.tag == data_tag) continue;
    data_tag = field.tag;
    live = begin;
  }
  return live;
}

}  // namespace

std::size_t MetricLayout::body_bytes(std::size_t points_bytes) const noexcept {
  return metric_prefix_bytes + wire::framed_size(data_prefix_bytes + points_bytes);
}

void read_metric_layout(std::string_view payload, const Item& item, MetricLayout& layout) {
  clear(layout);
  const Ptr base = wire::begin_of(payload);
  wire::Field metric;
  Ptr begin = base + item.bytes.offset;
  if (wire::read_field(begin, begin + item.bytes.size, metric) == nullptr) return;
  const Ptr live = live_data_begin(metric.begin, metric.end, layout.data_tag);
  for (Ptr p = metric.begin; p != nullptr && p != metric.end;) {
    wire::Field field;
    begin = p;
    p = wire::read_field(p, metric.end, field);
    if (p == nullptr) return;
    if (begin >= live && is_metric_data(field.tag)) {
      read_data(base, field.begin, field.end, layout);
    } else {
      layout.metric_prefix.push_back(slice_of(base, begin, p));
      layout.metric_prefix_bytes += layout.metric_prefix.back().size;
    }
  }
}

}  // namespace spanway::otlp
