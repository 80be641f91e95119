#include "services/lib/sinks/prometheus/remote_write_batch.h"

#include <algorithm>
#include <utility>

#include "services/lib/http/snappy.h"
#include "services/lib/promseries/series_converter.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {
namespace {

using prometheus_write::WriteRequest;

// The most that one data point may add to a request: with 1.0, each bucket of a histogram repeats
// all labels.
constexpr std::size_t kPointBytesMax = 4u << 20;
constexpr std::size_t kReserveStep = 64u << 10;

Error point_too_large() {
  return unknown_error(Code::kResourceExhausted,
                       "A data point makes more than 4 MiB of series for remote write; send "
                       "histograms with fewer buckets or labels, or set histograms: native")
      .with_reason("request_too_large");
}

// Passes series on as long as the permit covers what they become.
class Encoder final : public promseries::SeriesVisitor {
 public:
  Encoder(pipeline::Batch& batch, const RemoteWriteBatchOptions& options,
          prometheus_write::Protocol protocol)
      : permit_(batch.permit),
        base_(batch.permit.bytes()),
        // One series is at most as long as the payload, or six times that as JSON in a label.
        slack_(2 * batch.payload.size() + kReserveStep),
        open_bytes_max_(options.request_bytes_max + kPointBytesMax),
        requests_(protocol, options.request_bytes_max) {}

  void on_sample(const promseries::Series& series, double value) override {
    if (has_room()) requests_.on_sample(series, value);
  }
  void on_histogram(const promseries::Series& series,
                    const promseries::NativeHistogram& histogram) override {
    if (has_room()) requests_.on_histogram(series, histogram);
  }
  Status on_point_end() override {
    SPANWAY_TRY(status_);
    SPANWAY_TRY(requests_.on_point_end());
    return compress(requests_.take_ended());
  }
  Result<std::vector<WriteRequest>> take() {
    SPANWAY_TRY(compress(requests_.take()));
    std::size_t largest = 0;
    for (const WriteRequest& request : encoded_) largest = std::max(largest, request.body.size());
    permit_.shrink_to(bodies_ + largest);
    return std::move(encoded_);
  }

 private:
  // A request is held with room to grow, then whole, then as a block of snappy.
  bool has_room() {
    if (!status_.ok()) return false;
    const std::size_t open = requests_.open_bytes();
    const std::size_t needed = base_ + bodies_ + 4 * open + slack_;
    if (open > open_bytes_max_) {
      status_ = point_too_large();
    } else if (needed > reserved_) {
      if (permit_.grow_to(needed + kReserveStep)) {
        reserved_ = needed + kReserveStep;
      } else {
        status_ = no_memory("convert a batch for remote write");
      }
    }
    return status_.ok();
  }

  Status compress(std::vector<WriteRequest> requests) {
    for (WriteRequest& request : requests) {
      request.body = http::snappy_encode(request.body.view());
      bodies_ += request.body.size();
      encoded_.push_back(std::move(request));
    }
    return {};
  }

  Permit& permit_;
  const std::size_t base_, slack_, open_bytes_max_;
  prometheus_write::WriteRequests requests_;
  std::size_t reserved_ = 0;
  std::size_t bodies_ = 0;
  std::vector<WriteRequest> encoded_;
  Status status_;
};

}  // namespace

Result<RemoteWriteBatch> remote_write_batch(pipeline::Batch& batch,
                                            const RemoteWriteBatchOptions& options,
                                            prometheus_write::Protocol protocol) {
  promseries::Converter converter(options.series);
  Encoder encoder(batch, options, protocol);
  SPANWAY_ASSIGN(promseries::Converted converted, converter.convert(batch.payload.view(), encoder));
  RemoteWriteBatch result;
  result.protocol = protocol;
  SPANWAY_ASSIGN(result.requests, encoder.take());
  result.points = converted.points;
  // The exporter's probe: a request without series finds out whether the receiver takes requests.
  if (converted.points == 0) result.requests.push_back({.body = http::snappy_encode({})});
  result.outcome = {converted.rejected, std::move(converted.first_reason)};
  batch.payload = Bytes();
  return result;
}

}  // namespace spanway::sinks
