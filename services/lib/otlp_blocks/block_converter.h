// One OTLP request as blocks for the tables of the schema.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/otlp/metric_points.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/otlp_blocks/request_blocks.h"
#include "services/lib/promseries/series_labels.h"

namespace spanway::otlp_blocks {

struct ConvertOptions {
  std::string_view tenant;
  // Dictionary rows that need not be written again; null = none. Data blocks do not depend on it.
  const KnownRows* known = nullptr;
  // Called every kItemsPerPermit items for what the blocks take and a margin of kPermitMarginBytes,
  // and at the end for exactly what they take. False = no memory. May be empty.
  std::function<bool(std::size_t bytes)> grow = nullptr;
};

// Single-thread; keeps its scratch memory. Data blocks are a function of the request's bytes and
// the tenant: equal requests make equal blocks, in every process.
class Converter {
 public:
  static constexpr std::size_t kDaysMax = 32;
  static constexpr std::size_t kItemsPerPermit = 64;
  static constexpr std::size_t kPermitMarginBytes = 1u << 20;

  // Errors: broken framing and values nested deeper than otlp::kValueDepthMax are data; items of
  // more than kDaysMax days are unknown, so that the sender halves; no memory is transient.
  Result<RequestBlocks> convert(otlp::Signal signal, std::string_view payload,
                                const ConvertOptions& options);

 private:
  Result<RequestBlocks> convert_items(otlp::Signal signal, std::string_view payload,
                                      const ConvertOptions& options);
  Result<RequestBlocks> convert_metrics(std::string_view payload, const ConvertOptions& options);

  otlp::RequestReader reader_;
  otlp::PointReader points_;
  promseries::SeriesLabels labels_{promseries::Options{}};
};

}  // namespace spanway::otlp_blocks
