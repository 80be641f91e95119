// Requests of remote write. Sources: io.prometheus.write.v2.Request, prometheus.WriteRequest.
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

// The versions of the message, and of the protocol that carries it.
enum class Protocol : unsigned char {
  kV1,  // prometheus.WriteRequest: every series has its labels as text.
  kV2,  // io.prometheus.write.v2.Request: strings once a request, start timestamps, metadata.
};

struct WriteRequest {
  Bytes body;
  // Each of them is an entry of one series, with one sample or one histogram.
  std::uint64_t samples = 0;
  std::uint64_t histograms = 0;
  std::uint64_t exemplars = 0;
  // Data points of OTLP that have entries here, and samples of target_info.
  std::uint64_t points = 0;
  std::uint64_t entries() const noexcept { return samples + histograms; }
};

// Single-thread. Equal calls make equal bytes.
class WriteRequests final : public promseries::SeriesVisitor {
 public:
  // A request ends with the first data point at which it has that many bytes.
  WriteRequests(Protocol protocol, std::size_t bytes_max)
      : protocol_(protocol), bytes_max_(bytes_max) {
    begin();
  }
  void on_sample(const promseries::Series& series, double value) override;
  void on_histogram(const promseries::Series& series,
                    const promseries::NativeHistogram& histogram) override;
  Status on_point_end() override;
  // Bytes of the request that has not ended.
  std::size_t open_bytes() const noexcept { return strings_.size() + series_.size(); }
  // Those that have ended, in order.
  std::vector<WriteRequest> take_ended();
  // Ends the last one. None is empty.
  std::vector<WriteRequest> take();

 private:
  void begin();
  void end();
  std::uint32_t symbol(std::string_view text);
  void append_labels(std::uint32_t field, promseries::Labels labels);
  void append_exemplars(const promseries::Series& series);
  void append_metadata(const promseries::Metadata& metadata);

  const Protocol protocol_;
  const std::size_t bytes_max_;
  // The symbols of 2.0 by text; the families of 1.0 whose metadata the request has.
  std::unordered_map<std::string, std::uint32_t> refs_;
  std::string key_;  // Scratch for lookups.
  Bytes strings_;    // Symbols of 2.0, metadata of 1.0: what comes before the series.
  Bytes series_, packed_;
  WriteRequest open_;
  std::uint64_t entries_at_point_end_ = 0;
  std::vector<WriteRequest> done_;
};

}  // namespace spanway::prometheus_write
