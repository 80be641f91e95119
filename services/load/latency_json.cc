#include "services/load/latency_json.h"

#include <chrono>

namespace spanway::load {

void write_latency(JsonWriter& json, const LatencyHistogram& latency) {
  json.begin_object("latency_ms").member("count", latency.count());
  const auto milliseconds = [&json](std::string_view name, Duration duration) {
    const double value = std::chrono::duration<double, std::milli>(duration).count();
    json.key(name).fixed(value, kReportDecimals);
  };
  milliseconds("p50", latency.quantile(0.5));
  milliseconds("p90", latency.quantile(0.9));
  milliseconds("p99", latency.quantile(0.99));
  milliseconds("p99_9", latency.quantile(0.999));
  milliseconds("max", latency.max());
  milliseconds("mean", latency.mean());
  json.end_object();
}

}  // namespace spanway::load
