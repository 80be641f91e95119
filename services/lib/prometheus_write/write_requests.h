// Requests of remote write 2.0. Source: io.prometheus.write.v2.Request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/promseries/series_visitor.h"

namespace spanway::prometheus_write {

struct WriteRequest {
  Bytes body;
  std::uint64_t samples = 0;
  std::uint64_t histograms = 0;
  std::uint64_t exemplars = 0;
};

// Single-thread. Equal calls make equal bytes.
class WriteRequests final : public promseries::SeriesVisitor {
 public:
  // A request ends with the first data point at which it has that many bytes.
  explicit WriteRequests(std::size_t bytes_max) : bytes_max_(bytes_max) { begin(); }
  void on_sample(const promseries::Series& series, double value) override;
  void on_histogram(const promseries::Series& series,
                    const promseries::NativeHistogram& histogram) override;
  Status on_point_end() override;
  // Without empty ones, in order.
  std::vector<WriteRequest> take();

 private:
  void begin();
  void end();
  std::uint32_t symbol(std::string_view text);
  void append_refs(promseries::Labels labels);
  void append_rest(const promseries::Series& series);

  const std::size_t bytes_max_;
  std::unordered_map<std::string, std::uint32_t> refs_;
  std::string key_;  // Scratch for lookups.
  Bytes symbols_, series_, packed_;
  WriteRequest open_;
  std::vector<WriteRequest> done_;
};

}  // namespace spanway::prometheus_write
