// The positions of the data points of one metric, so that it can be split between them. Internal to
// otlp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/lib/otlp/scan.h"

namespace spanway::otlp {

// The layout of a metric that a scan has accepted. Every piece repeats `metric_prefix` and, inside
// the data field, `data_prefix`. Offsets are those of the scanned buffer.
struct MetricLayout {
  std::vector<Slice> metric_prefix;  // Name, unit, ...: all that is not the data.
  std::vector<Slice> data_prefix;    // Temporality, ...: all of the data that is not a point.
  std::vector<Slice> points;         // With tag and length.
  std::size_t metric_prefix_bytes = 0;
  std::size_t data_prefix_bytes = 0;
  std::size_t point_bytes_max = 0;
  std::uint32_t data_tag = 0;  // gauge, sum, ...

  // Bytes of a metric's body with points of `points_bytes` in all; of 0: what every piece
  // repeats.
  std::size_t body_bytes(std::size_t points_bytes) const noexcept;
};

// Fills `layout`, whose memory is reused.
void read_metric_layout(std::string_view payload, const Item& item, MetricLayout& layout);

}  // namespace spanway::otlp
