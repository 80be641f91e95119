#include "services/lib/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <sstream>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/base/markdown.h"
#include "services/lib/base/mutex.h"
#include "services/lib/telemetry/process_stats.h"

namespace spanway::telemetry {
namespace {

constexpr std::size_t kSeriesMax = 10'000;

const std::vector<double>& latency_buckets() {
  static const std::vector<double> seconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                           0.5,   1,      2.5,   5,    10,    30,   60};
  return seconds;
}

prometheus::MetricType to_prometheus(MetricKind kind) noexcept {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

const char* kind_name(MetricKind kind) noexcept {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "";
}

// The names in `labels` are those that the spec declares.
[[maybe_unused]] bool labels_match(const MetricSpec& spec, const Labels& labels) {
  std::size_t declared = 0;
  std::istringstream names(spec.labels);
  for (std::string name; std::getline(names, name, ',');) {
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    ++declared;
    if (labels.find(name) == labels.end()) return false;
  }
  return declared == labels.size();
}

// One time series. Exactly one of the pointers is set. Never destroyed before the registry, so that
// handles of a dropped series stay valid.
struct Series {
  std::unique_ptr<prometheus::Counter> counter;
  std::unique_ptr<prometheus::Gauge> gauge;
  std::unique_ptr<prometheus::Histogram> histogram;
  bool exposed = true;
};

struct Family {
  MetricKind kind = MetricKind::kCounter;
  std::string help;
  std::map<Labels, Series> series;
};

prometheus::ClientMetric collect(const Series& series) {
  if (series.counter) return series.counter->Collect();
  if (series.gauge) return series.gauge->Collect();
  return series.histogram->Collect();
}

prometheus::MetricFamily collect(const std::string& name, const Family& family) {
  prometheus::MetricFamily out;
  out.name = name;
  out.help = family.help;
  out.type = to_prometheus(family.kind);
  for (const auto& [labels, series] : family.series) {
    if (!series.exposed) continue;
    prometheus::ClientMetric metric = collect(series);
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    out.metric.push_back(std::move(metric));
  }
  return out;
}

constexpr std::array kStandardSpecs{
    MetricSpec{"spanway_bugs_total", MetricKind::kCounter,
               "Situations that cannot happen, survived. Anything above zero deserves an issue."},
    MetricSpec{"spanway_build_info", MetricKind::kGauge, "Always 1; the version is the label.",
               "version"},
    MetricSpec{"process_cpu_seconds_total", MetricKind::kCounter, "User and system CPU time."},
    MetricSpec{"process_resident_memory_bytes", MetricKind::kGauge, "Resident memory."},
    MetricSpec{"process_virtual_memory_bytes", MetricKind::kGauge, "Virtual memory."},
    MetricSpec{"process_open_fds", MetricKind::kGauge, "Open file descriptors."},
    MetricSpec{"process_max_fds", MetricKind::kGauge, "File descriptors that may be open."},
    MetricSpec{"process_threads", MetricKind::kGauge, "Threads of the process."},
    MetricSpec{"process_start_time_seconds", MetricKind::kGauge,
               "When the process started, in seconds since the epoch."},
};

// Values in the order of kStandardSpecs.
std::array<double, kStandardSpecs.size()> standard_values() {
  const ProcessStats stats = read_process_stats();
  return {static_cast<double>(bug_count()),
          1.0,
          stats.cpu_seconds,
          stats.resident_bytes,
          stats.virtual_bytes,
          stats.open_files,
          stats.open_files_max,
          stats.threads,
          stats.start_time_seconds};
}

void collect_standard(std::vector<prometheus::MetricFamily>& out) {
  const auto values = standard_values();
  for (std::size_t i = 0; i < kStandardSpecs.size(); ++i) {
    const MetricSpec& spec = kStandardSpecs[i];
    prometheus::MetricFamily family;
    family.name = spec.name;
    family.help = spec.help;
    family.type = to_prometheus(spec.kind);
    prometheus::ClientMetric metric;
    metric.counter.value = values[i];
    metric.gauge.value = values[i];
    if (std::string_view(spec.labels) == "version")
      metric.label.push_back({"version", SPANWAY_VERSION});
    family.metric.push_back(std::move(metric));
    out.push_back(std::move(family));
  }
}

}  // namespace

void Counter::add(double amount) const noexcept {
  if (impl_ != nullptr && amount > 0) static_cast<prometheus::Counter*>(impl_)->Increment(amount);
}
void Gauge::set(double value) const noexcept {
  if (impl_ != nullptr) static_cast<prometheus::Gauge*>(impl_)->Set(value);
}
void Gauge::add(double amount) const noexcept {
  if (impl_ != nullptr) static_cast<prometheus::Gauge*>(impl_)->Increment(amount);
}
void Histogram::observe(double value) const noexcept {
  if (impl_ != nullptr) static_cast<prometheus::Histogram*>(impl_)->Observe(value);
}

struct Metrics::Impl {
  // The series, made by `make` when it is new; null when the metric has too many.
  template <typename Make>
  Series* find_or_make(const MetricSpec& spec, MetricKind kind, const Labels& labels, Make make)
      SPANWAY_REQUIRES(mutex) {
    SPANWAY_ASSERT(spec.kind == kind);
    SPANWAY_ASSERT(labels_match(spec, labels));
    auto [family, is_new] = families.try_emplace(spec.name);
    if (is_new) {
      family->second.kind = kind;
      family->second.help = spec.help;
    }
    SPANWAY_CHECK(family->second.kind == kind);
    auto& all = family->second.series;
    if (const auto found = all.find(labels); found != all.end()) return &found->second;
    if (all.size() >= kSeriesMax) {
      count_bug("metrics_series_max");
      return nullptr;
    }
    return &all.emplace(labels, make()).first->second;
  }

  mutable Mutex mutex;
  std::map<std::string, Family, std::less<>> families SPANWAY_GUARDED_BY(mutex);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const MetricSpec& spec, const Labels& labels) {
  MutexLock lock(impl_->mutex);
  Series* series = impl_->find_or_make(spec, MetricKind::kCounter, labels, [] {
    Series made;
    made.counter = std::make_unique<prometheus::Counter>();
    return made;
  });
  Counter handle;
  if (series != nullptr) handle.impl_ = series->counter.get();
  return handle;
}

Gauge Metrics::gauge(const MetricSpec& spec, const Labels& labels) {
  MutexLock lock(impl_->mutex);
  Series* series = impl_->find_or_make(spec, MetricKind::kGauge, labels, [] {
    Series made;
    made.gauge = std::make_unique<prometheus::Gauge>();
    return made;
  });
  Gauge handle;
  if (series == nullptr) return handle;
  if (!std::exchange(series->exposed, true)) series->gauge->Set(0);
  handle.impl_ = series->gauge.get();
  return handle;
}

Histogram Metrics::histogram(const MetricSpec& spec, const Labels& labels,
                             const std::vector<double>& buckets) {
  MutexLock lock(impl_->mutex);
  Series* series = impl_->find_or_make(spec, MetricKind::kHistogram, labels, [&buckets] {
    Series made;
    made.histogram =
        std::make_unique<prometheus::Histogram>(buckets.empty() ? latency_buckets() : buckets);
    return made;
  });
  Histogram handle;
  if (series != nullptr) handle.impl_ = series->histogram.get();
  return handle;
}

void Metrics::remove_gauge(const MetricSpec& spec, const Labels& labels) {
  MutexLock lock(impl_->mutex);
  const auto family = impl_->families.find(std::string_view(spec.name));
  if (family == impl_->families.end() || family->second.kind != MetricKind::kGauge) return;
  const auto series = family->second.series.find(labels);
  if (series != family->second.series.end()) series->second.exposed = false;
}

std::string Metrics::expose() const {
  std::vector<prometheus::MetricFamily> families;
  {
    MutexLock lock(impl_->mutex);
    families.reserve(impl_->families.size() + kStandardSpecs.size());
    for (const auto& [name, family] : impl_->families) families.push_back(collect(name, family));
  }
  collect_standard(families);
  return prometheus::TextSerializer().Serialize(families);
}

double Metrics::value(std::string_view name, const Labels& labels) const {
  MutexLock lock(impl_->mutex);
  const auto family = impl_->families.find(name);
  if (family == impl_->families.end()) return 0;
  const auto found = family->second.series.find(labels);
  if (found == family->second.series.end() || !found->second.exposed) return 0;
  const Series& series = found->second;
  if (series.counter) return series.counter->Value();
  if (series.gauge) return series.gauge->Value();
  return static_cast<double>(series.histogram->Collect().histogram.sample_count);
}

std::span<const MetricSpec> standard_metric_specs() { return kStandardSpecs; }

std::string metrics_markdown(std::span<const MetricSpec> specs) {
  std::string out = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricSpec& spec : specs) {
    out += std::string("| `") + spec.name + "` | " + kind_name(spec.kind) + " | " +
           markdown_cell(spec.labels) + " | " + markdown_cell(spec.help) + " |\n";
  }
  return out;
}

}  // namespace spanway::telemetry
