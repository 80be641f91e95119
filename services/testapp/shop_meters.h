// The metrics of the shop's services: cumulative, with an example from the latest trace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/testapp/trace_recorder.h"

namespace spanway::testapp {

// External lock. Bounded: the shop uses a fixed set of metrics and attribute values.
class ShopMeters {
 public:
  explicit ShopMeters(UnixNanos start) : start_(start) {}

  // The duration of a span that has ended and was shifted, in seconds.
  void observe(ServiceName service, const std::string& metric, const Span& span,
               Attributes attributes);
  void count(ServiceName service, const std::string& metric, Attributes attributes);
  void set(ServiceName service, const std::string& metric, double value, Attributes attributes);
  // Everything a service has measured so far.
  std::vector<Metric> collect(ServiceName service, UnixNanos now) const;

 private:
  struct Series {
    Attributes attributes;
    double value = 0;
    std::uint64_t count = 0;
    std::vector<std::uint64_t> bucket_counts;
    std::vector<Exemplar> exemplars;
  };
  struct Instrument {
    MetricKind kind = MetricKind::kGauge;
    std::string unit;
    std::map<std::string, Series> series;  // By their attributes as text.
  };
  using Instruments = std::map<std::string, Instrument>;
  Series& series_of(ServiceName service, const std::string& metric, MetricKind kind,
                    const char* unit, Attributes attributes);

  const UnixNanos start_;
  std::array<Instruments, kServiceCount> instruments_;
};

}  // namespace spanway::testapp
