// Metrics of ourselves. Each component declares its metrics as constants (one table in its
// events.h); METRICS.md and the exposition come from them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::telemetry {

enum class MetricKind { kCounter, kGauge, kHistogram };

// Name: spanway_<component>_<noun>_<unit>[_total]. Labels take values from enums or configuration,
// never from telemetry data.
struct MetricSpec {
  const char* name;
  MetricKind kind;
  const char* help;
  // Names of the labels, comma-separated, for METRICS.md; "" when there are none.
  const char* labels = "";
};

using Labels = std::map<std::string, std::string>;

// Handles: cheap to copy, valid as long as the registry (also after remove_gauge), thread-safe.
// Counters and gauges are lock-free; a histogram takes a lock of its own for a few instructions. A
// default handle discards everything.
class Counter {
 public:
  // Amounts that are not positive are ignored.
  void add(double amount = 1) const noexcept;

 private:
  friend class Metrics;
  void* impl_ = nullptr;
};
class Gauge {
 public:
  void set(double value) const noexcept;
  void add(double amount) const noexcept;

 private:
  friend class Metrics;
  void* impl_ = nullptr;
};
class Histogram {
 public:
  void observe(double value) const noexcept;

 private:
  friend class Metrics;
  void* impl_ = nullptr;
};

// The registry of a process. Thread-safe; get handles once, at construction, so that every
// series exists at zero from the start. The names in `labels` must be those of the spec. At most
// 10'000 series per metric: beyond that a handle discards everything and a bug is counted.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter counter(const MetricSpec& spec, const Labels& labels = {});
  Gauge gauge(const MetricSpec& spec, const Labels& labels = {});
  // Buckets default to latencies in seconds from 1 ms to 60 s.
  Histogram histogram(const MetricSpec& spec, const Labels& labels = {},
                      const std::vector<double>& buckets = {});
  // Drops a series, for example of a partition that was taken away. Its handles stay valid;
  // gauge() brings it back at zero.
  void remove_gauge(const MetricSpec& spec, const Labels& labels);
  // The Prometheus text format 0.0.4, including standard_metric_specs().
  std::string expose() const;
  // For tests and /statusz: the value of one series, 0 when it does not exist; of a
  // histogram the number of observations.
  double value(std::string_view name, const Labels& labels = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Metrics that every process exposes: spanway_bugs_total, spanway_build_info{version}
// and process_* (CPU, memory, open files, threads, start).
std::span<const MetricSpec> standard_metric_specs();
// The rows of METRICS.md for `specs`: name, type, labels, meaning.
std::string metrics_markdown(std::span<const MetricSpec> specs);

}  // namespace spanway::telemetry
