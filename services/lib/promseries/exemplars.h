// Exemplars of a data point as Prometheus has them.
#pragma once

#include <span>
#include <vector>

#include "services/lib/otlp/metric_points.h"
#include "services/lib/promseries/series_visitor.h"

namespace spanway::promseries {

// Single-thread; keeps its scratch memory.
class Exemplars {
 public:
  // OpenMetrics: attributes are left out when names and values have more characters than that.
  static constexpr std::size_t kCharactersMax = 128;

  // In the order of the point; without those that have no value. Valid until the next call.
  std::span<const Exemplar> of(const otlp::PointView& point);

 private:
  void append_labels(const otlp::ExemplarView& exemplar);

  TextArena texts_;
  std::vector<Label> labels_;
  std::vector<Exemplar> exemplars_;
  std::vector<std::size_t> ends_;  // The end of each exemplar's labels.
};

}  // namespace spanway::promseries
