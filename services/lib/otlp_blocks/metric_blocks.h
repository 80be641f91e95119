// Data points of a request as rows by day, and the dictionary rows that belong to them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/otlp/metric_points.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_keys.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/point_rows.h"
#include "services/lib/otlp_blocks/resource_rows.h"
#include "services/lib/otlp_blocks/series_rows.h"
#include "services/lib/promseries/series_labels.h"

namespace spanway::otlp_blocks {

// One request. Names and labels are those of Prometheus's OTLP receiver; values, temporality and
// buckets are what was sent. Single-thread.
class MetricBlocks final : public otlp::RequestVisitor {
 public:
  // All outlive this.
  MetricBlocks(const ConvertOptions& options, promseries::SeriesLabels& labels,
               otlp::PointReader& points);
  Status on_resource(const otlp::ResourceView& resource) override;
  Status on_scope(const otlp::ScopeView& scope) override;
  Status on_metric(const otlp::MetricView& metric) override;
  // After the whole request.
  Status end_resource();
  RequestBlocks take();

 private:
  Status add_point(const otlp::MetricView& metric, const otlp::PointView& point);
  Status add_value(const otlp::MetricView& metric, const otlp::PointView& point,
                   const PointContext& context);
  Status add_exemplars(const otlp::PointView& point, const PointContext& context);
  Status note_item(const otlp::PointView& point, std::int64_t time);
  void reject(const otlp::MetricView& metric, std::string_view why);
  std::size_t memory_bytes() const noexcept;

  const ConvertOptions& options_;
  promseries::SeriesLabels& labels_;
  otlp::PointReader& points_;
  AttributeKeys keys_;
  ResourceRows resources_;
  SeriesRows series_;
  std::map<std::int32_t, SampleRows> samples_;
  std::map<std::int32_t, HistogramRows> histograms_;
  std::map<std::int32_t, ExemplarRows> exemplars_;
  // State of the resource, the scope and the metric.
  const otlp::ResourceView* resource_ = nullptr;
  std::uint64_t resource_id_ = 0;
  bool is_resource_added_ = false;
  std::int64_t earliest_ = 0, latest_ = -1;
  const otlp::ScopeView* scope_ = nullptr;
  std::int32_t noted_day_ = -1;
  std::string metric_name_;
  // State of the request: samples of target_info that were added, since a resource may come twice.
  std::set<std::pair<std::uint64_t, std::int64_t>> target_infos_;
  std::uint64_t items_ = 0;
  std::uint64_t rejected_ = 0;
  std::string first_reason_;
};

}  // namespace spanway::otlp_blocks
